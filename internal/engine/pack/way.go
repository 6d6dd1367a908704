package pack

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// way is the packs that a worker comes to, one after another. Each of its processes
// goes on to the next pack by itself: none waits for a slow call of the last one.
type way struct {
	Worker
	beside sync.WaitGroup

	seeking chan struct{} // holds a token while a process waits for the next pack

	mu    sync.Mutex
	packs []*working
	ended bool
	err   error
}

// at is the pack with a number, from 0; nil if there is none, and there will not be.
func (w *way) at(ctx context.Context, number int) *working {
	if r, over := w.known(ctx, number); over {
		return r
	}
	w.seeking <- struct{}{}
	defer func() { <-w.seeking }()
	for {
		if r, over := w.known(ctx, number); over {
			return r
		}
		if err := w.seek(ctx, number); err != nil {
			w.end(err)
		}
	}
}

// known reports whether it is known what the pack with a number is, or that there
// is none.
func (w *way) known(ctx context.Context, number int) (r *working, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number < len(w.packs) {
		return w.packs[number], true
	}
	return nil, w.ended || ctx.Err() != nil
}

// How a worker waits for the next pack.
const (
	seekLocal  = 50 * time.Millisecond
	seekRemote = 250 * time.Millisecond
	seekEach   = 10 * time.Millisecond // at least so long for each worker

	// forsaken is after how long without work a worker ends of its own accord: its
	// program, which says when to end, is dead.
	forsaken = 3 * worth
)

// seek waits for the pack with a number, or for word that there is none.
func (w *way) seek(ctx context.Context, number int) error {
	every := seekRemote
	if w.Store.IsLocal() {
		every = seekLocal
	}
	every = max(every, time.Duration(w.packs[0].workers)*seekEach)
	for began := time.Now(); ; {
		id, found, err := w.Next(ctx, number)
		switch {
		case err != nil:
			return err
		case found && id == "":
			w.end(nil)
			return nil
		case found:
			r, err := w.open(ctx, packs.Pack{Store: w.Store, ID: id})
			if r == nil && (err == nil || blob.Is(err, blob.NotFound)) { // its calls have ended, and their program cleared it away
				w.end(nil)
				return nil
			}
			return err
		case time.Since(began) > forsaken:
			if err := w.PutNext(ctx, number, ""); err != nil && !blob.Is(err, blob.Exists) {
				return err
			}
			continue // whoever was first
		}
		if !sleep.For(ctx, every) {
			return nil
		}
	}
}

// end notes that no pack follows.
func (w *way) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended, w.err = true, errors.Join(w.err, err)
}

func (w *way) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// open begins with a pack. It returns nil for a list that is shorter than was
// thought, with no use for this worker.
func (w *way) open(ctx context.Context, p packs.Pack) (*working, error) {
	first, shape, err := p.Part(ctx, 0)
	if err != nil {
		return nil, err
	}
	if w.Index >= shape.Workers {
		return nil, nil
	}
	r := &working{Worker: w.Worker, workers: shape.Workers, share: newShare(shape.Calls, shape.Workers, w.Index), parts: map[int][]packs.Call{0: first},
		pages: make([]int, shape.Workers), open: map[int]bool{}, running: map[int]executor.Worker{}, givenUp: map[int]bool{}, news: make(chan struct{}, 1)}
	r.Pack = p
	for worker := range r.pages {
		if err := r.read(ctx, worker); err != nil {
			return nil, err
		}
	}
	for number := range r.open { // this worker replaces one that died with them
		r.note(packs.Entry{Call: number, Ended: &packs.Ended{Code: -1, Reason: executor.WorkerLost,
			Message: "the worker that had begun the call, beside others, ended meanwhile"}})
	}
	r.processes.Add(max(w.Side, 1))
	w.beside.Go(func() {
		if err := r.report(ctx); err != nil {
			w.end(err)
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packs = append(w.packs, r)
	return r, nil
}
