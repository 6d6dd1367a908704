package record

import (
	"bytes"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Figures are what a run took, where, and with what. What no run can have taken is 0:
// anybody may have written a record, and readers add these numbers up.
type Figures struct {
	Wall, CPU  time.Duration
	PeakMemory int64 // bytes
	Executor   string
	Place      executor.Place
}

// Figures are those of a run.
func (r Run) Figures() Figures {
	f := Figures{Wall: inSeconds(r.WallSeconds), CPU: inSeconds(r.CPUSeconds), PeakMemory: r.PeakMemory, Executor: r.Executor}
	f.Place = executor.Place{
		Host: r.Host, Spot: r.Spot,
		Requests: executor.Resources{CPU: r.CPUs, Memory: r.MemoryRequest, GPU: r.GPUs}, Limits: executor.Resources{Memory: r.MemoryLimit},
	}
	f.clean()
	return f
}

// What a run may have taken, far beyond what any did.
const (
	mostSeconds = 10 * 365 * 24 * 3600
	mostMemory  = 1 << 50 // bytes
	mostDevices = 1 << 20
)

func inSeconds(s float64) time.Duration {
	if !(s >= 0 && s <= mostSeconds) {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

func (f *Figures) clean() {
	asked := &f.Place.Requests
	for _, n := range []*float64{&asked.CPU, &asked.GPU} {
		if !(*n >= 0 && *n <= mostDevices) {
			*n = 0
		}
	}
	for _, n := range []*int64{&f.PeakMemory, &asked.Memory, &f.Place.Limits.Memory} {
		if *n < 0 || *n > mostMemory {
			*n = 0
		}
	}
}

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
	cpu, rest, ok := scanOptional(rest, `,"cpu_seconds":`)
	if !ok {
		return f, false
	}
	f.CPU = inSeconds(cpu)
	f.PeakMemory, rest = scanBytes(rest, `,"peak_memory_bytes":`)
	f.Place.Limits.Memory, rest = scanBytes(rest, `,"memory_limit_bytes":`)
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
	_, rest = scanBytes(bytes.TrimPrefix(rest, []byte(`"`)), `,"pid":`)
	executor, rest, ok := scanField(rest, `,"executor":"`)
	if !ok {
		return f, false
	}
	f.Place.Host, f.Executor = lastHost.text(host), lastExecutor.text(executor)
	rest = bytes.TrimPrefix(rest, []byte(`"`))
	if f.Place.Requests.CPU, rest, ok = scanOptional(rest, `,"cpus":`); !ok {
		return f, false
	}
	f.Place.Requests.Memory, rest = scanBytes(rest, `,"memory_request_bytes":`)
	if f.Place.Requests.GPU, rest, ok = scanOptional(rest, `,"gpus":`); !ok {
		return f, false
	}
	f.Place.Spot = hasPrefix(rest, `,"spot":true`)
	f.clean()
	return f, true
}

// scanOptional is the value of an optional field, a number.
func scanOptional(header []byte, begin string) (n float64, rest []byte, ok bool) {
	rest, found := cutPrefix(header, begin)
	if !found {
		return 0, header, true
	}
	return scanNumber(rest)
}

// scanNumber takes most numbers without memory: those of few digits are a whole
// number over a power of ten, both of them exact, so their quotient is the nearest
// there is.
func scanNumber(text []byte) (n float64, rest []byte, ok bool) {
	whole, point := uint64(0), -1
	for end, c := range text {
		switch {
		case '0' <= c && c <= '9' && whole < mostExact:
			whole = whole*10 + uint64(c-'0')
			continue
		case c == '.' && point < 0 && end > 0:
			point = end
			continue
		case c != ',' && c != '}' || whole >= mostExact || end == 0:
		case point < 0:
			return float64(whole), text[end:], true
		case end-point-1 < len(tens):
			return float64(whole) / tens[end-point-1], text[end:], true
		}
		break
	}
	end := bytes.IndexAny(text, ",}")
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.ParseFloat(string(text[:end]), 64)
	return n, text[end:], err == nil
}

const mostExact = 1 << 53 / 10

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// last is the text that was found last: hosts and executors of one record after
// another are mostly the same, and take no memory then.
type last struct{ atomic.Pointer[string] }

var lastHost, lastExecutor last

func (l *last) text(found []byte) string {
	if known := l.Load(); known != nil && *known == string(found) {
		return *known
	}
	is := string(found)
	l.Store(&is)
	return is
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
