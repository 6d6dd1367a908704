//go:build linux || darwin

package subprocess

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// ending is all that tells how a worker ended.
type ending struct {
	worker  string // "worker of f@1 (process 42)"
	before  int    // calls that its process ran before
	report  *inherit.Report
	stays   bool // the process goes on, and only report is set
	status  syscall.WaitStatus
	usage   syscall.Rusage
	used    time.Duration // of CPU, by the calls before
	tail    *tail
	stopped bool   // by us
	killer  string // the kernel's word about memory; "" if there is none
}

func (e *ending) exit() executor.Exit {
	exit := executor.Exit{Code: -1}
	if e.stays {
		exit.CPU, exit.PeakMemory = e.report.CPU-e.used, e.report.PeakMemory
	} else {
		exit.CPU, exit.PeakMemory = process.CPU(&e.usage)-e.used, process.PeakMemory(&e.usage)
	}
	switch {
	case e.report != nil:
		exit.Code = e.report.Code
	case e.status.Exited():
		exit.Code = e.status.ExitStatus()
	}
	reused := e.before > 0 && e.report == nil && !e.stopped
	switch exit.Code {
	case executor.ExitOK, executor.ExitFunc, executor.ExitLost:
		if !reused {
			return exit
		}
	}
	exit.Err = e.failure(exit.Code)
	exit.Err.Tail = e.tail.String()
	if reused {
		exit.Code = -1
		exit.Err.Reason = executor.ReusedWorker
		exit.Err.Message = fmt.Sprintf("%s. The process had run other functions before (%d), one of which may be the cause; the call is worth another try in a fresh process", exit.Err.Message, e.before)
	}
	return exit
}

func (e *ending) failure(code int) *executor.Error {
	signal := unix.SignalName(e.status.Signal())
	switch {
	case e.stopped && code < 0:
		return &executor.Error{
			Reason: executor.Signalled, Message: "the " + e.worker + " was stopped by " + signal, Err: context.Canceled,
		}
	case e.stopped:
		return &executor.Error{
			Reason: executor.WorkerFailed, Message: fmt.Sprintf("the %s was stopped and ended with code %d", e.worker, code),
			Err: context.Canceled,
		}
	case code < 0 && e.status.Signal() == syscall.SIGKILL && e.killer != "":
		return &executor.Error{Reason: executor.OOMKilled, Message: fmt.Sprintf(
			"the %s was killed by SIGKILL while %s: it ran out of memory; let fewer functions run side by side, or run it where there is more",
			e.worker, e.killer)}
	case code == executor.ExitUnfit:
		return &executor.Error{Reason: executor.WorkerFailed, Message: "the " + e.worker + " cannot do its work; its last lines say why"}
	case code == executor.ExitFailed:
		return &executor.Error{Reason: executor.WorkerFailed, Message: fmt.Sprintf(
			"the %s ended with exit code 1: mops failed in it, or the function called os.Exit or log.Fatal; its last lines say which", e.worker)}
	case slices.Contains(requests, syscall.Signal(code-128)):
		return &executor.Error{Reason: executor.Signalled, Message: fmt.Sprintf(
			"the %s was ended by %s, not by mops; see who on this machine sent it, and call it again", e.worker, unix.SignalName(syscall.Signal(code-128)))}
	case code < 0:
		return &executor.Error{Reason: executor.Signalled, Message: fmt.Sprintf(
			"the %s was killed by %s, not by mops; see who on this machine did, and call it again", e.worker, signal)}
	case code == crashCode && outOfMemory(e.tail):
		return &executor.Error{Reason: executor.OOMKilled, Message: fmt.Sprintf(
			"the %s could get no more memory from the system; let fewer functions run side by side, or see its limits (ulimit -v)", e.worker)}
	case code == crashCode && e.tail.crashed:
		return &executor.Error{Reason: executor.WorkerFailed, Message: fmt.Sprintf(
			"the %s crashed (exit code %d); its last lines say where", e.worker, code)}
	}
	return &executor.Error{Reason: executor.WorkerFailed, Message: fmt.Sprintf(
		"the %s ended with exit code %d, which no worker of mops uses; its last lines may say why", e.worker, code)}
}

// requests are the signals that a program may heed: then it ends with an exit
// code of 128 and the signal's number, as shells report it.
var requests = []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM}

// crashCode is the exit code of the Go runtime after a panic or a fatal error.
const crashCode = 2

// outOfMemory recognises Go's own words, of runtime.throw and of ENOMEM.
func outOfMemory(t *tail) bool {
	text := t.String()
	if t.crashed {
		text = string(t.crash)
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, thrown) && strings.Contains(line, "out of memory") ||
			strings.Contains(line, "cannot allocate memory") {
			return true
		}
	}
	return false
}
