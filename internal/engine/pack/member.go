package pack

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// Member is a call in a pack, as the worker that it seems to have.
type Member struct {
	packer *Packer
	handle string
	call   packs.Call
	inv    executor.Invocation
	done   chan struct{} // closed when it has ended, or was released

	// Under packer.mu:
	list     *list // nil while the pack is being put together
	number   int
	begun    bool
	stopping bool
	watchers int // of a call in another process's pack
	released bool
	ended    bool
	fate     Fate
	exit     executor.Exit
	printed  bool
	code     int // of a process that came second to the call
}

var _ executor.Worker = (*Member)(nil)

// Fate is what became of a member.
type Fate int

// The fates.
const (
	Ran    Fate = iota // a process ran it to its end
	Lost               // it was begun, and its worker died; or nobody can say what became of it
	Unrun              // nobody began it
	Single             // it was the only one of its pack, so it is to have a worker of its own
	Again              // it is to join the next pack, nothing having happened
	Failed             // no worker of the group could work
)

// Fate is what became of a member that has ended.
func (m *Member) Fate() Fate {
	m.packer.mu.Lock()
	defer m.packer.mu.Unlock()
	return m.fate
}

// URI is the memo URI of the call.
func (m *Member) URI() string { return m.call.MemoURI }

// Printed reports whether there is a log of a member that has ended.
func (m *Member) Printed() bool {
	m.packer.mu.Lock()
	defer m.packer.mu.Unlock()
	return m.printed
}

func (m *Member) tell(stage executor.Stage) {
	if m.inv.Tell != nil {
		m.inv.Tell(stage)
	}
}

// begin notes that a worker began the member. The caller holds packer.mu.
func (m *Member) begin() {
	m.begun, m.list.group.any = true, true
	if !m.ended {
		m.list.unbegun--
	}
}

// end notes how the member ended. The caller holds packer.mu.
func (m *Member) end(fate Fate, exit executor.Exit) {
	if m.ended || m.released {
		return
	}
	m.ended, m.fate, m.exit = true, fate, exit
	if m.list != nil {
		m.list.live--
		if !m.begun {
			m.list.unbegun--
		}
	}
	close(m.done)
}

// Handle implements executor.Worker.
func (m *Member) Handle() string { return m.handle }

// Wait implements executor.Worker.
func (m *Member) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-m.done:
	default:
		select {
		case <-m.done:
		case <-ctx.Done():
			return executor.Exit{}, ctx.Err()
		}
	}
	m.packer.mu.Lock()
	defer m.packer.mu.Unlock()
	if !m.ended {
		return executor.Exit{}, m.errReleased()
	}
	return m.exit, nil
}

// Stop takes the call out of its pack: it is stopped if it runs, and never begins
// if it does not.
func (m *Member) Stop(ctx context.Context) error {
	p := m.packer
	p.mu.Lock()
	switch {
	case m.ended:
	case m.released:
		p.mu.Unlock()
		return m.errReleased()
	case m.list == nil:
		p.forming.members = slices.DeleteFunc(p.forming.members, func(other *Member) bool { return other == m })
		m.end(Unrun, m.stopped())
	case !m.stopping:
		m.stopping = true
		m.list.group.news()
	}
	p.mu.Unlock()
	select {
	case <-m.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the call %s in a pack: its end was not seen: %w", m.call.MemoURI, ctx.Err())
	}
}

func (m *Member) errReleased() error {
	return fmt.Errorf("the call %s in a pack was released and is not watched any more; attach to it by its handle", m.call.MemoURI)
}

func (m *Member) stopped() executor.Exit {
	return executor.Exit{Code: -1, Err: &executor.Error{
		Reason: executor.Signalled, Message: "the worker of " + m.call.Function + " was stopped", Err: context.Canceled,
	}}
}

// Release implements executor.Worker.
func (m *Member) Release() {
	p := m.packer
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.ended || m.released {
		return
	}
	m.released = true
	close(m.done)
	switch l := m.list; {
	case l == nil:
		p.look() // it starts all the same
	case l.group.isLeft():
		l.group.news()
	}
}

// exitOf is how the process of a call ended, by the ledger.
func exitOf(e *packs.Ended) executor.Exit {
	exit := executor.Exit{Code: e.Code, CPU: seconds(e.CPUSeconds), PeakMemory: e.PeakMemory}
	if e.Reason != "" || e.Message != "" {
		exit.Err = &executor.Error{Reason: e.Reason, Message: e.Message, Tail: e.Tail}
	}
	return exit
}

// lostExit is the end of a call whose worker died.
func (m *Member) lostExit(group executor.Exit) executor.Exit {
	if m.code == executor.ExitLost {
		return executor.Exit{Code: executor.ExitLost}
	}
	failure := &executor.Error{Reason: executor.WorkerLost, Message: fmt.Sprintf(
		"the worker that computed %s, beside other calls, ended meanwhile", m.call.Function)}
	if group.Err != nil {
		failure.Message += ": " + group.Err.Message
		failure.Tail = group.Err.Tail
	}
	return executor.Exit{Code: -1, Err: failure}
}

// asFailure is an error of an executor as one of its type.
func asFailure(err error) *executor.Error {
	if e, ok := errors.AsType[*executor.Error](err); ok {
		return e
	}
	return &executor.Error{Reason: executor.LaunchFailed, Message: err.Error(), Err: err}
}
