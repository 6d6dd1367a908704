package process

import (
	"context"
	"sync"

	"golang.org/x/sys/unix"
)

const zombieState = 5 // SZOMB in sys/proc.h

var bootID = sync.OnceValue(func() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return ""
	}
	return id
})

func pidNamespace() string { return "" }

func stat(pid int) (status, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return status{}, err
	}
	return statusOf(info), nil
}

func statusOf(info *unix.KinfoProc) status {
	started := info.Proc.P_starttime
	return status{
		start:  uint64(started.Sec)*1e6 + uint64(started.Usec),
		group:  int(info.Eproc.Pgid),
		zombie: info.Proc.P_stat == zombieState,
	}
}

// wait waits for NOTE_EXIT of a kqueue, see kqueue(2), looking at the context
// ten times a second.
func wait(ctx context.Context, pid int, ended func() bool) error {
	queue, err := unix.Kqueue()
	if err != nil {
		return poll(ctx, ended)
	}
	defer unix.Close(queue)
	unix.CloseOnExec(queue)
	change := []unix.Kevent_t{{Fflags: unix.NOTE_EXIT}}
	unix.SetKevent(&change[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	if _, err := unix.Kevent(queue, change, nil, nil); err != nil {
		return poll(ctx, ended) // it is a zombie, or gone
	}
	if ended() {
		return nil
	}
	tenth := unix.NsecToTimespec(100e6)
	for events := make([]unix.Kevent_t, 1); ctx.Err() == nil; {
		n, err := unix.Kevent(queue, nil, events, &tenth)
		if n > 0 {
			return nil
		}
		if err != nil && err != unix.EINTR {
			return poll(ctx, ended)
		}
	}
	return ctx.Err()
}

func group(id int) ([]member, error) {
	if unix.Kill(-id, 0) == unix.ESRCH {
		return nil, nil
	}
	infos, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", id)
	if err != nil {
		return nil, err
	}
	var members []member
	for _, info := range infos {
		if s := statusOf(&info); !s.zombie {
			members = append(members, member{int(info.Proc.P_pid), s.start})
		}
	}
	return members, nil
}
