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

// Executor starts workers as processes on this machine, on Linux and macOS;
// elsewhere Start fails. It is safe for concurrent use.
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

// Option is a setting for [New].
type Option func(*Executor)

// Limit sets how many functions may run side by side; 0 or less means no limit.
// The default is runtime.NumCPU(). The orchestrator keeps the limit, not the
// executor.
func Limit(n int) Option {
	return func(e *Executor) { e.limit = max(n, 0) }
}

// Env adds variables, written "KEY=value", to the environment of every worker.
// They replace those of this process, which a worker has, too; the invocation's
// variables replace both.
func Env(variables ...string) Option {
	return func(e *Executor) { e.env = append(e.env, variables...) }
}

// Dir sets the working directory of workers. The default is that of this
// process.
func Dir(path string) Option {
	return func(e *Executor) { e.dir = path }
}

// Command sets the program to run instead of this one: another build of it,
// say. The path is made absolute at once; PATH is not searched.
func Command(path string, arguments ...string) Option {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return func(e *Executor) {
		e.command = func() (string, []string) { return path, arguments }
	}
}

// Grace sets the time between SIGTERM and SIGKILL for a worker that is being
// stopped. The default is 5 s.
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

func (e *Executor) Name() string { return "subprocess" }

// Limit returns how many functions may run side by side; 0 means no limit.
func (e *Executor) Limit() int { return e.limit }

// samePath returns a path to the running program. Linux still has the file
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
