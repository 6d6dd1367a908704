//go:build unix

package process

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// exists reports whether the number is in use, by a zombie or a stranger too.
func exists(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }

// KillGroup sends a signal to the process group with that number. That it is
// empty is no error. The caller knows that the number is not somebody else's:
// the leader is its child, not reaped yet. Otherwise see [Identity.SignalGroup].
func KillGroup(id int, signal syscall.Signal) error {
	if id <= 1 { // kill(-1) reaches everybody
		return fmt.Errorf("%d is no process group that may be killed", id)
	}
	err := unix.Kill(-id, signal)
	if err == nil || err == unix.ESRCH {
		return nil
	}
	return fmt.Errorf("send %s to the process group %d: %w", unix.SignalName(signal), id, err)
}

// Usage returns what this process has used so far: CPU time, user and system,
// and the most memory it has had resident, in bytes. See getrusage(2).
func Usage() (cpu time.Duration, peakMemory int64) {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0, 0
	}
	return CPU(&used), PeakMemory(&used)
}

// CPU returns the user and system time of a getrusage(2) or wait4(2).
func CPU(used *syscall.Rusage) time.Duration {
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// PeakMemory returns the largest resident size of a getrusage(2) or wait4(2), in
// bytes: the kernels of Apple count bytes, all others KiB.
func PeakMemory(used *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(used.Maxrss)
	}
	return int64(used.Maxrss) << 10
}
