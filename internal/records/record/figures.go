package record

import (
	"bytes"
	"strconv"
	"time"
)

// Figures are what a run took, and on which machine.
type Figures struct {
	Wall, CPU   time.Duration
	PeakMemory  int64 // bytes
	MemoryLimit int64 // bytes
	Host        string
	Executor    string
}

// Figures are those of a run.
func (r Run) Figures() Figures {
	return Figures{Wall: inSeconds(r.WallSeconds), CPU: inSeconds(r.CPUSeconds), PeakMemory: r.PeakMemory, MemoryLimit: r.MemoryLimit, Host: r.Host, Executor: r.Executor}
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// FiguresOf are those in the header of a result or an error; zero where it has
// none. Like Check it scans headers as Seal writes them, as every hit asks.
func FiguresOf(header []byte) Figures {
	if f, ok := scanFigures(header); ok {
		return f
	}
	var of RunHeader
	_ = (Record{Header: header}).Into(&of) // then it says nothing
	return of.Run.Figures()
}

// scanFigures knows the order of the fields of a Run. The first one is always
// written, and no key before it has its name: what users name stands behind it, or
// in strings.
func scanFigures(header []byte) (f Figures, ok bool) {
	at := bytes.Index(header, []byte(`"wall_seconds":`))
	if at < 0 {
		return f, false
	}
	var wall, cpu, peak, limit float64
	rest := header[at:]
	for _, field := range []struct {
		begin string
		to    *float64
	}{{`"wall_seconds":`, &wall}, {`,"cpu_seconds":`, &cpu}, {`,"peak_memory_bytes":`, &peak}, {`,"memory_limit_bytes":`, &limit}} {
		if rest, ok = scanNumber(rest, field.begin, field.to); !ok {
			return f, false
		}
	}
	if _, rest, ok = scanField(rest, `,"memory_from":"`); !ok {
		return f, false
	}
	rest = bytes.TrimPrefix(rest, []byte(`"`)) // that scanField left
	host, rest, ok := scanField(rest, `,"host":"`)
	if !ok {
		return f, false
	}
	if _, rest, ok = scanField(bytes.TrimPrefix(rest, []byte(`"`)), `,"user":"`); !ok {
		return f, false
	}
	var pid float64
	if rest, ok = scanNumber(bytes.TrimPrefix(rest, []byte(`"`)), `,"pid":`, &pid); !ok {
		return f, false
	}
	executor, _, ok := scanField(rest, `,"executor":"`)
	f = Figures{Wall: inSeconds(wall), CPU: inSeconds(cpu), PeakMemory: int64(peak), MemoryLimit: int64(limit), Host: string(host), Executor: string(executor)}
	return f, ok
}

// scanNumber is the value of an optional field.
func scanNumber(header []byte, begin string, to *float64) (rest []byte, ok bool) {
	rest, found := cutPrefix(header, begin)
	if !found {
		return header, true
	}
	end := 0
	for end < len(rest) && rest[end] != ',' && rest[end] != '}' {
		end++
	}
	n, err := strconv.ParseFloat(string(rest[:end]), 64)
	*to = n
	return rest[end:], err == nil
}
