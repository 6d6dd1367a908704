package agent

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// sweep ends what is left of the session that this process leads. A worker that keeps
// its own log has another process below it, in a group of its own, which must not
// outlive it.
func sweep() {
	self := os.Getpid()
	if session, err := unix.Getsid(0); err != nil || session != self {
		return // others are in it
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	for left := true; left; {
		left = false
		stats, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, path := range stats {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if pid != self && sessionOf(path) == self {
				left = true
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		left = left && sleep.For(ctx, 10*time.Millisecond) // the end of a process takes its time
	}
}

// sessionOf reads the session of a process that is no zombie; see proc_pid_stat(5).
func sessionOf(path string) (session int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0 // it has ended
	}
	var state string
	var parent, group int
	fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &parent, &group, &session)
	if state == "Z" {
		return 0
	}
	return session
}
