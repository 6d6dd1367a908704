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
	g := p.others[id]
	p.mu.Unlock()
	if g == nil {
		var err error
		if g, err = p.attach(ctx, packs.Pack{Store: p.Store, ID: id}, workers); err != nil {
			if blob.Is(err, blob.NotFound) {
				return nil, gone("its list is gone")
			}
			return nil, err
		}
	}
	p.mu.Lock()
	if g.settled {
		p.mu.Unlock()
		return nil, gone("it has ended")
	}
	number, ok := g.numbers[inv.ID]
	var m *Member
	if ok {
		if m = g.members[number]; m == nil || m.released {
			m = &Member{packer: p, handle: handle, inv: inv, done: make(chan struct{}), group: g, number: number, call: packs.Call{
				Function: inv.Function, MemoURI: inv.MemoURI, ID: inv.ID}}
			g.members[number] = m
		}
		m.watchers++
	}
	begins := ok && g.applyTo(m, g.said[number], time.Now())
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

func (p *Packer) attach(ctx context.Context, pack packs.Pack, handle string) (*group, error) {
	calls, shape, err := pack.List(ctx)
	if err != nil {
		return nil, err
	}
	g := &group{packer: p, pack: pack, workers: shape.Workers, pages: make([]int, shape.Workers), stops: make(chan struct{}, 1),
		members: make([]*Member, len(calls)), said: make([]packs.Entry, len(calls)), numbers: map[executor.ID]int{},
		began: map[*Member]time.Time{}, over: make(chan struct{})}
	for number, call := range calls {
		g.numbers[call.ID] = number
	}
	inv := p.invocation(pack)
	inv.Workers, inv.Tell, inv.Explain, inv.Lives = g.workers, g.tell, g.explain, g.lives
	workers, err := p.Executor.Attach(ctx, inv, handle)
	if err != nil {
		return nil, err
	}
	g.read(ctx) // calls that have ended are gone
	p.mu.Lock()
	p.others[pack.ID] = g
	p.groups[g] = true
	p.mu.Unlock()
	p.Logger.Info("a pack of calls that lost its orchestrator is adopted", "function", p.Function, "pack", pack.ID, "calls", len(calls))
	p.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		defer p.leave(g)
		g.follow(ctx, workers)
	})
	return g, nil
}
