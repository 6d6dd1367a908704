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
}

// Figures are those of a run.
func (r Run) Figures() Figures {
	return Figures{Wall: inSeconds(r.WallSeconds), CPU: inSeconds(r.CPUSeconds), PeakMemory: r.PeakMemory, MemoryLimit: r.MemoryLimit, Host: r.Host}
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
	rest := header
	for whole := false; !whole; { // a field of a type may have a name that ends so
		before, after, found := bytes.Cut(rest, []byte(`wall_seconds":`)) // begins with a letter: quotation marks are everywhere
		if !found {
			return f, false
		}
		whole, rest = bytes.HasSuffix(before, []byte(`"`)), after
	}
	wall, rest, ok := scanNumber(rest)
	if !ok {
		return f, false
	}
	f.Wall = inSeconds(wall)
	if after, is := cutPrefix(rest, `,"cpu_seconds":`); is {
		var cpu float64
		if cpu, rest, ok = scanNumber(after); !ok {
			return f, false
		}
		f.CPU = inSeconds(cpu)
	}
	f.PeakMemory, rest = scanBytes(rest, `,"peak_memory_bytes":`)
	f.MemoryLimit, rest = scanBytes(rest, `,"memory_limit_bytes":`)
	if _, rest, ok = scanField(rest, `,"memory_from":"`); !ok {
		return f, false
	}
	rest = bytes.TrimPrefix(rest, []byte(`"`)) // that scanField left
	host, _, ok := scanField(rest, `,"host":"`)
	f.Host = string(host)
	return f, ok
}

func scanNumber(text []byte) (n float64, rest []byte, ok bool) {
	end := 0
	for end < len(text) && text[end] != ',' && text[end] != '}' {
		end++
	}
	n, err := strconv.ParseFloat(string(text[:end]), 64)
	return n, text[end:], err == nil
}

// scanBytes is the value of an optional field, a whole number.
func scanBytes(header []byte, begin string) (n int64, rest []byte) {
	rest, found := cutPrefix(header, begin)
	if !found {
		return 0, header
	}
	for len(rest) > 0 && '0' <= rest[0] && rest[0] <= '9' {
		n, rest = n*10+int64(rest[0]-'0'), rest[1:]
	}
	return n, rest
}
