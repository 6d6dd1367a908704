package inherit

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// calls are those of a process that stays.
type calls struct {
	socket  *os.File
	to      *json.Encoder
	from    *json.Decoder
	number  int
	environ environ
	found   condition // of the process before the first call
}

// mostCalls is how many calls a process takes, so that leaks that nobody sees
// stay small.
const mostCalls = 1000

func takeCalls(socket, number string) *calls {
	// The file with the number is for others: they find it in /proc.
	if _, err := find(number, isFile); err != nil {
		return nil
	}
	file, err := inherit(socket, isSocket, "calls")
	if err != nil {
		return nil
	}
	found, err := presentCondition()
	if err != nil {
		file.Close()
		return nil
	}
	return &calls{
		socket: file, to: json.NewEncoder(file), from: json.NewDecoder(file),
		number: 1, environ: presentEnviron(), found: found,
	}
}

func (c *calls) next(code int) bool {
	stays := c.number < mostCalls && !c.environ.changed() && c.found.still()
	cpu, peak := process.Usage()
	var children syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children)
	report := Report{Code: code, CPU: cpu + process.CPU(&children), PeakMemory: peak, Stays: stays}
	if c.to.Encode(report) != nil || !stays {
		return false
	}
	var order Order
	if c.from.Decode(&order) != nil {
		return false
	}
	c.environ.become(order)
	c.number++
	resetPeakMemory()
	return true
}

func (c *calls) close() { c.socket.Close() }

// resetPeakMemory lets the peak begin anew; see /proc/pid/clear_refs in
// proc_pid_clear_refs(5). Where that is refused, the peak is that of all calls.
func resetPeakMemory() { os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// environ are the variables with which a call begins.
type environ map[string]string

func presentEnviron() environ {
	e := environ{}
	for _, variable := range os.Environ() {
		key, value, _ := strings.Cut(variable, "=")
		e[key] = value
	}
	return e
}

// changed reports whether a variable has another value than at the beginning of
// the call, or is new. One that is missing may have been taken by the worker.
func (e environ) changed() bool {
	for key, value := range presentEnviron() {
		if before, found := e[key]; !found || before != value {
			return true
		}
	}
	return false
}

// become sets all variables for the next call.
func (e environ) become(next Order) {
	for _, key := range next.Unset {
		delete(e, key)
		os.Unsetenv(key)
	}
	for _, variable := range next.Set {
		key, value, _ := strings.Cut(variable, "=")
		e[key] = value
	}
	for key, value := range e {
		os.Setenv(key, value)
	}
}
