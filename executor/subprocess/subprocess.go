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
	other   bool // than this program, by Command
	grace   time.Duration
	stay    bool
	idle    idle
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Limited  = (*Executor)(nil)
	_ executor.Retrier  = (*Executor)(nil)
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
		e.command, e.other = func() (string, []string) { return path, arguments }, true
	}
}

// Grace sets the time between SIGTERM and SIGKILL for a worker that is being
// stopped. The default is 5 s.
func Grace(d time.Duration) Option {
	return func(e *Executor) { e.grace = d }
}

// Stay lets a worker process take one function after another, which saves the
// start of a process for each: worth it where functions take less than some
// 100 ms. A worker that waits for the next function for 5 s ends, and so does one
// after 1,000 functions or when a function leaves it changed: another working
// directory, environment, umask or process group, signals that it ignores, child
// processes, more than 256 MiB of memory, more than 100 goroutines or 1,000 files.
// A function that ends or crashes its process costs that process only, and is
// run again once in a fresh one, as another function may have been the cause.
//
// mops cannot see what a function leaves in variables of its package: the next
// function in the process finds it there. Nor what a goroutine that it leaves behind
// does; what such a goroutine prints may be in the log of the next function.
//
// A program other than this one stays only if it was built with a mops that knows
// of it. Stay has no effect on macOS.
func Stay() Option {
	return func(e *Executor) { e.stay = true }
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
		idle:    idle{longest: 5 * time.Second},
	}
	for _, option := range options {
		option(e)
	}
	return e
}

func (e *Executor) Name() string { return "subprocess" }

// Limit returns how many functions may run side by side; 0 means no limit.
func (e *Executor) Limit() int { return e.limit }

// StartsItself reports whether workers are this program, started again, which then
// has to become one: by mops.Main or mops.Init.
func (e *Executor) StartsItself() bool { return !e.other }

// MayRetry allows another try after the process of the last one died and had run
// other functions before: see Stay.
func (e *Executor) MayRetry(failed []executor.Reason) bool {
	return len(failed) > 0 && failed[len(failed)-1] == executor.ReusedWorker
}

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
