//go:build linux || darwin

package subprocess

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
)

// pipes connect a worker with us. They are closed on exec, but for the copies
// that the worker gets under the numbers below.
type pipes struct {
	null              *os.File
	output, outputEnd *os.File // the worker's output: our end, its end
	alive, aliveEnd   *os.File // open as long as we watch: the worker's end, our end

	// Only of a process that may stay:
	socket, socketEnd *os.File // on which it gets calls: our end, its end
	number            number   // of its present call
}

// The worker's descriptors, behind standard input, output and error.
const (
	outputFD = 3 // the reading end of its own output, for when nobody else reads it
	aliveFD  = 4 // the reading end of a pipe that ends when we do
	socketFD = 5 // if it may stay, a socket on which it gets further calls
	numberFD = 6 // and a file with the number of the present one, where Attach looks
)

func newPipes(stay bool) (p pipes, err error) {
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.null, err = os.Open(os.DevNull); err != nil {
		return p, err
	}
	if p.output, p.outputEnd, err = os.Pipe(); err != nil {
		return p, err
	}
	if p.alive, p.aliveEnd, err = os.Pipe(); err != nil || !stay {
		return p, err
	}
	if p.socket, p.socketEnd, err = newSocket(); err != nil {
		return p, err
	}
	p.number, err = newNumber()
	return p, err
}

// closeTheirs closes the ends that only the worker needs.
func (p *pipes) closeTheirs() {
	for _, file := range []*os.File{p.null, p.outputEnd, p.alive, p.socketEnd} {
		file.Close() // closing nil is harmless
	}
}

func (p *pipes) close() {
	p.closeTheirs()
	p.closeOurs()
}

// closeOurs closes the other ends: the process is not watched any more.
func (p *pipes) closeOurs() {
	for _, file := range []*os.File{p.output, p.aliveEnd, p.socket, p.number.File} {
		file.Close()
	}
}

// launch starts the process, as the leader of a process group of its own.
func (p *pipes) launch(path string, arguments []string, dir string, env []string) (pid int, err error) {
	inherited := []inherit.Pipe{{FD: outputFD}, {FD: aliveFD}}
	files := []*os.File{p.output, p.alive}
	if p.socket != nil {
		inherited = append(inherited, inherit.Pipe{FD: socketFD}, inherit.Pipe{FD: numberFD})
		files = append(files, p.socketEnd, p.number.File)
	}
	// Fd makes the end that the worker writes to blocking, as programs expect of
	// their output. Our own end must remain non-blocking.
	end := p.outputEnd.Fd()
	descriptors := []uintptr{p.null.Fd(), end, end}
	for i, file := range files {
		if inherited[i].From, err = inherit.Descriptor(file); err != nil {
			return 0, err
		}
		descriptors = append(descriptors, inherited[i].From)
	}
	pid, _, err = syscall.StartProcess(path, append([]string{path}, arguments...), &syscall.ProcAttr{
		Dir:   dir,
		Env:   environ(env, []string{inherit.Variable(inherited...)}),
		Files: descriptors,
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	return pid, err
}

// launchFailed explains why there is no worker, and what to do.
func launchFailed(function, path, dir string, err error) *executor.Error {
	advice := "see the cause"
	switch {
	case errors.Is(err, syscall.E2BIG):
		advice = "the environment is larger than the kernel takes; make it smaller (a single variable must stay under 128 KiB on Linux)"
	case errors.Is(err, syscall.ENOMEM):
		advice = "the machine has no memory for another process; let fewer functions run side by side (subprocess.Limit)"
	case errors.Is(err, syscall.EAGAIN):
		advice = "there are too many processes; raise the limit (ulimit -u), or let fewer functions run side by side (subprocess.Limit)"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		advice = "there are too many open files; raise the limit (ulimit -n), or let fewer functions run side by side (subprocess.Limit)"
	case errors.Is(err, syscall.ENOENT) && dir != "" && !isDir(dir):
		advice = fmt.Sprintf("its working directory %s is not there; create it, or change subprocess.Dir", dir)
	case errors.Is(err, syscall.ENOENT):
		advice = "the program is not there any more; build it again, or change subprocess.Command"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		advice = "the program may not be executed; see its permissions, and whether its file system is mounted noexec"
	case errors.Is(err, syscall.ENOEXEC):
		advice = "the program is not one for this machine; build it for this one"
	case errors.Is(err, syscall.ETXTBSY):
		advice = "the program is being written; call it again when that is done"
	}
	return &executor.Error{
		Reason:  executor.LaunchFailed,
		Message: fmt.Sprintf("%s could not be started as the process %s; %s", function, path, advice),
		Err:     err,
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
