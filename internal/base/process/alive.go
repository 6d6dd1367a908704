package process

import (
	"context"
	"time"
)

// status is what the system tells of a process.
type status struct {
	start  uint64
	group  int
	zombie bool
}

// Alive reports whether the process runs. A zombie does not. known is false
// where that cannot be seen: on another host, or in another pid namespace.
func (id Identity) Alive() (alive, known bool) {
	if !id.SameHost(Self()) {
		return false, false
	}
	if !exists(id.PID) {
		return false, true
	}
	s, err := stat(id.PID)
	if err != nil {
		// It may have ended since; else it hides from us (hidepid, see proc(5)).
		return false, !exists(id.PID)
	}
	return s.start == id.Start && !s.zombie, true
}

// Wait returns nil once the process has ended; it need not be a child of this
// one. It fails with ErrElsewhere where the process cannot be seen, and with
// the context's error.
func (id Identity) Wait(ctx context.Context) error {
	alive, known := id.Alive()
	switch {
	case !known:
		return ErrElsewhere
	case !alive:
		return nil
	}
	return wait(ctx, id.PID, func() bool {
		alive, known := id.Alive()
		return known && !alive
	})
}

// WaitChild returns nil once a child of this process has ended, and leaves it
// to the caller to reap it. The child must not have been reaped before.
func WaitChild(ctx context.Context, pid int) error {
	return wait(ctx, pid, func() bool {
		s, err := stat(pid)
		return err == nil && s.zombie
	})
}

// poll waits where the system offers no event.
func poll(ctx context.Context, ended func() bool) error {
	const longest = 100 * time.Millisecond
	for pause := time.Millisecond; !ended(); pause = min(2*pause, longest) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}
