// Package subprocess is the executor that runs each function in a process of
// its own on this machine: the same program, started again. A crash, a kill or
// a leak of the function stays there, and the function outlives the
// orchestrator.
package subprocess

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Executor starts workers as processes on this machine, on Linux and macOS. It is
// safe for concurrent use.
type Executor struct {
	limit   int
	env     []string
	dir     string
	command func() (path string, arguments []string)
	grace   time.Duration
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Limited  = (*Executor)(nil)
)

// Option is a setting of New.
type Option func(*Executor)

// Limit sets how many functions may run side by side; 0 or less means no limit.
// The default is runtime.NumCPU(). The orchestrator keeps it, not the executor.
func Limit(n int) Option {
	return func(e *Executor) { e.limit = max(n, 0) }
}

// Env adds variables, written "KEY=value", to the environment of every worker.
// A worker has the environment of this process; these come on top, and those
// of the invocation on top of these.
func Env(variables ...string) Option {
	return func(e *Executor) { e.env = append(e.env, variables...) }
}

// Dir sets the working directory of workers. The default is that of this process.
func Dir(path string) Option {
	return func(e *Executor) { e.dir = path }
}

// Command sets what to run instead of this very program: another build of it,
// say. A relative path is relative to the present working directory.
func Command(path string, arguments ...string) Option {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return func(e *Executor) {
		e.command = func() (string, []string) { return path, arguments }
	}
}

// Grace sets how long a worker that is being stopped has between SIGTERM and
// SIGKILL. The default is 5 s.
func Grace(d time.Duration) Option {
	return func(e *Executor) { e.grace = d }
}

// New returns an executor that starts this program again for each worker.
func New(options ...Option) *Executor {
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	e := &Executor{
		limit:   runtime.NumCPU(),
		command: func() (string, []string) { return samePath(program), nil },
		grace:   5 * time.Second,
	}
	for _, option := range options {
		option(e)
	}
	return e
}

// Name returns "subprocess".
func (e *Executor) Name() string { return "subprocess" }

// Limit returns how many functions may run side by side; 0 means no limit.
func (e *Executor) Limit() int { return e.limit }

// samePath returns where the running program is found. Linux still has the file
// after it was deleted or built anew; another build would be a version skew.
func samePath(program string) string {
	const running = "/proc/self/exe"
	self, err := os.Stat(running)
	if err != nil {
		return program
	}
	if there, err := os.Stat(program); err == nil && os.SameFile(self, there) {
		return program
	}
	return running
}
