package process

import (
	"context"
	"fmt"
	"syscall"
)

// SignalGroup sends a signal to the process group that the process leads, also
// when the leader itself has ended. That the group is empty, or that its number
// went to somebody else, is no error.
func (id Identity) SignalGroup(signal syscall.Signal) error {
	if !id.SameHost(Self()) {
		return fmt.Errorf("signal the process group %d on %q: %w", id.PID, id.Host, ErrElsewhere)
	}
	// A number is not used again while a group has it: so a stranger under
	// this number means that the group is gone.
	if s, err := stat(id.PID); err == nil && s.start != id.Start {
		return nil
	}
	return KillGroup(id.PID, signal)
}

// WaitGroup returns nil once nothing of the process group runs any more that the
// process leads or led. Zombies do not run.
func (id Identity) WaitGroup(ctx context.Context) error {
	if !id.SameHost(Self()) {
		return ErrElsewhere
	}
	for {
		if s, err := stat(id.PID); err == nil && s.start != id.Start {
			return nil
		}
		members, err := group(id.PID)
		if err != nil {
			return fmt.Errorf("list the process group %d: %w", id.PID, err)
		}
		if len(members) == 0 {
			return nil
		}
		member := id
		member.PID, member.Start = members[0].pid, members[0].start
		if err := member.Wait(ctx); err != nil {
			return err
		}
	}
}

// member is a process of a group that runs.
type member struct {
	pid   int
	start uint64
}
