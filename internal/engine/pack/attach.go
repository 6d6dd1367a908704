package pack

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// Attach finds a call in a pack that another process started, by its handle. The
// first one of a pack reads the list and attaches to the workers; then all who
// wait for calls of the pack share that. If the workers have ended, or the call
// is not in the pack, the error is executor.ErrGone.
func (p *Packer) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	gone := func(why string) error {
		return fmt.Errorf("attach to the worker of %s in pack %.100s: %w: %s", inv.Function, handle, executor.ErrGone, why)
	}
	id, workers, ok := SplitHandle(handle)
	if !ok || workers == "" {
		return nil, gone("that is no handle of a pack that can be found again")
	}
	p.attaching.Lock()
	defer p.attaching.Unlock()
	p.mu.Lock()
	l := p.others[id]
	for l == nil || !p.groups[l.group] && !l.group.settled { // nobody follows it yet, or any more
		p.mu.Unlock()
		var err error
		if l, err = p.attach(ctx, packs.Pack{Store: p.Store, ID: id}, workers); err != nil {
			if blob.Is(err, blob.NotFound) {
				return nil, gone("its list is gone")
			}
			return nil, err
		}
		p.mu.Lock()
	}
	if l.group.settled {
		p.mu.Unlock()
		return nil, gone("it has ended")
	}
	number, ok := l.numbers[inv.ID]
	var m *Member
	if ok {
		if m = l.members[number]; m == nil || m.released {
			m = &Member{packer: p, handle: handle, inv: inv, done: make(chan struct{}), list: l, number: number, call: packs.Call{
				Function: inv.Function, MemoURI: inv.MemoURI, ID: inv.ID}}
			l.members[number] = m
		}
		m.watchers++
	}
	begins := ok && l.applyTo(m, l.said[number], time.Now())
	ended := ok && m.ended
	p.mu.Unlock()
	switch {
	case !ok:
		return nil, gone("the call is not in its list")
	case ended:
		return nil, gone("it has ended")
	case begins:
		m.tell(executor.Running)
	}
	return &watcher{Member: m, left: make(chan struct{})}, nil
}

// watcher is one who waits for a call in another process's pack, of perhaps many.
type watcher struct {
	*Member
	once sync.Once
	left chan struct{}
}

// Wait implements executor.Worker.
func (w *watcher) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-w.left:
		select {
		case <-w.done:
		default:
			return executor.Exit{}, w.errReleased()
		}
	case <-w.done:
	case <-ctx.Done():
		return executor.Exit{}, ctx.Err()
	}
	return w.Member.Wait(ctx)
}

// Release implements executor.Worker. The last one to leave releases the call.
func (w *watcher) Release() {
	w.once.Do(func() {
		close(w.left)
		w.packer.mu.Lock()
		w.watchers--
		last := w.watchers == 0
		w.packer.mu.Unlock()
		if last {
			w.Member.Release()
		}
	})
}

// attach follows a pack, and its workers if nobody here does yet.
func (p *Packer) attach(ctx context.Context, pack packs.Pack, handle string) (*list, error) {
	calls, shape, err := pack.List(ctx)
	if err != nil {
		return nil, err
	}
	first := pack
	if shape.First != "" {
		first.ID, handle = shape.First, shape.Handle
	}
	g, found := p.groupOf(first)
	var workers executor.Worker
	if !found {
		g = p.newGroup(first, handle, shape.Workers)
		if workers, err = p.Executor.Attach(ctx, g.invocation(), handle); err != nil {
			return nil, err
		}
	}
	l := &list{group: g, pack: pack, pages: make([]int, shape.Workers), members: make([]*Member, len(calls)), said: make([]packs.Entry, len(calls)),
		numbers: map[executor.ID]int{}, began: map[*Member]time.Time{}}
	for number, call := range calls {
		l.numbers[call.ID] = number
	}
	if err := l.read(ctx); err != nil { // calls that have ended are gone
		p.Logger.Warn("what became of the calls of a pack cannot be read yet", "pack", pack.URI(), "error", err)
	}
	p.mu.Lock()
	if found && !p.groups[g] { // it was left, or has ended, meanwhile
		p.mu.Unlock()
		return l, nil
	}
	p.others[pack.ID] = l
	g.lists = append(g.lists, l)
	p.groups[g] = true
	p.mu.Unlock()
	p.Logger.Info("a pack of calls that lost its orchestrator is adopted", "function", p.Function, "pack", pack.ID, "calls", len(calls))
	if !found {
		p.Go(func() { g.dismiss(1) }) // who would have handed them more is dead
		p.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			defer p.leave(g)
			g.follow(ctx, workers)
		})
	}
	return l, nil
}

// groupOf finds the workers whose first pack is known.
func (p *Packer) groupOf(first packs.Pack) (g *group, found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for g := range p.groups {
		if g.first == first && !g.settled {
			return g, true
		}
	}
	return nil, false
}
