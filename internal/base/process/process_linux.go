package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootID is "" unless /proc shows the processes of our own pid namespace.
var bootID = sync.OnceValue(func() string {
	own, err := os.Readlink("/proc/self")
	if err != nil || own != strconv.Itoa(os.Getpid()) {
		return ""
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// pidNamespace returns the number in "pid:[4026531836]"; see namespaces(7).
var pidNamespace = sync.OnceValue(func() string {
	link, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(link, "pid:["), "]")
})

// stat reads /proc/<pid>/stat; see proc_pid_stat(5).
func stat(pid int) (status, error) {
	var room [1024]byte
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return status{}, err
	}
	n, err := unix.Read(fd, room[:])
	unix.Close(fd)
	if err != nil {
		return status{}, err
	}
	return parseStat(room[:n])
}

func parseStat(line []byte) (status, error) {
	// The second field is the name in parentheses and may hold anything.
	end := bytes.LastIndexByte(line, ')')
	if end < 0 {
		return status{}, errors.New("/proc/<pid>/stat has no name")
	}
	fields := bytes.Fields(line[end+1:])
	const state, group, threads, start = 0, 2, 17, 19 // in the manual 3, 5, 20, 22: it counts from 1, ours begin with the third
	if len(fields) <= start {
		return status{}, fmt.Errorf("/proc/<pid>/stat has only %d fields", len(fields)+2)
	}
	var s status
	var err1, err2 error
	s.group, err1 = strconv.Atoi(string(fields[group]))
	s.start, err2 = strconv.ParseUint(string(fields[start]), 10, 64)
	// A process whose first thread has left looks like a zombie, but has others.
	s.zombie = (fields[state][0] == 'Z' || fields[state][0] == 'X') && len(fields[threads]) == 1 && fields[threads][0] <= '1'
	return s, errors.Join(err1, err2)
}

// wait waits for an event of a pidfd, which the Go runtime does without a thread.
func wait(ctx context.Context, pid int, ended func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case err == unix.ESRCH:
		return nil
	case err != nil:
		return poll(ctx, ended) // before Linux 5.3, or forbidden by a seccomp filter
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return poll(ctx, ended)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer file.Close()
	// The number may have gone to another process before we opened it.
	if ended() {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := file.SyscallConn()
	if err != nil {
		return poll(ctx, ended)
	}
	err = conn.Read(func(fd uintptr) bool {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ := unix.Poll(events, 0)
		return n > 0
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return poll(ctx, ended)
}

// group lists the members of a process group that run. The kernel keeps no such
// list for us, so it looks at every process, unless there is nobody at all.
func group(id int) ([]member, error) {
	if unix.Kill(-id, 0) == unix.ESRCH {
		return nil, nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var members []member
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if s, err := stat(pid); err == nil && s.group == id && !s.zombie {
			members = append(members, member{pid, s.start})
		}
	}
	return members, nil
}
