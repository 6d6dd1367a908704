// Package history knows how earlier runs of a function went: how long they took
// and how much memory, as their records in the store say. Executors that choose
// resources or put calls together ask for it.
package history

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

const (
	// Most is how many runs a history has at most.
	Most = 200

	// goodFor is how long a history counts before the store is read again. Runs of
	// this process are added as they end, so that only those of others are missed.
	goodFor = 15 * time.Minute

	// badFor is how long a failure to read the store counts.
	badFor = time.Minute
)

// Book remembers the histories of functions, for one process. The zero value is
// empty. It is safe for concurrent use.
type Book struct {
	opened atomic.Bool // somebody has asked

	mu        sync.Mutex
	functions map[function]*history
}

// function is one in a pipeline, at one version, by its folder in a store.
type function struct {
	store  *blob.Store
	folder string
}

// history is guarded by the book's mutex.
type history struct {
	runs    []executor.Past // oldest first; only ever appended to, so that readers may keep a part
	read    time.Time       // when the store was read last; zero before
	err     error           // of that
	reading chan struct{}   // closed when a reader is done; nil while there is none
}

// Of is the history of the function whose calls lie in a folder: at most Most of
// its latest runs, oldest first, which the caller must not change. The first to
// ask reads the store, and so does one every quarter of an hour; the others do not
// wait for that one. See Read for what that costs, and for errors.
func (b *Book) Of(ctx context.Context, store *blob.Store, folder string) ([]executor.Past, error) {
	b.opened.Store(true)
	for {
		b.mu.Lock()
		h := b.of(function{store, folder})
		if now := time.Now(); h.reading == nil && !h.good(now) {
			return b.refresh(ctx, h, function{store, folder})
		}
		runs, err, known, reading := h.latest(), h.err, !h.read.IsZero(), h.reading
		b.mu.Unlock()
		if known {
			return runs, err
		}
		select {
		case <-reading: // if its reader left without an answer, it is our turn
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// of is the history of a function, made if need be. Under b.mu.
func (b *Book) of(f function) *history {
	h := b.functions[f]
	if h == nil {
		if b.functions == nil {
			b.functions = map[function]*history{}
		}
		h = &history{}
		b.functions[f] = h
	}
	return h
}

func (h *history) good(now time.Time) bool {
	if h.err != nil {
		return now.Sub(h.read) < badFor
	}
	return !h.read.IsZero() && now.Sub(h.read) < goodFor
}

func (h *history) latest() []executor.Past {
	n := len(h.runs)
	return h.runs[max(n-Most, 0):n:n]
}

// refresh reads the store. It is called under b.mu, and unlocks it.
func (b *Book) refresh(ctx context.Context, h *history, f function) ([]executor.Past, error) {
	h.reading = make(chan struct{})
	b.mu.Unlock()
	began := time.Now()
	runs, err := Read(ctx, f.store, f.folder)
	b.mu.Lock()
	defer b.mu.Unlock()
	close(h.reading)
	h.reading = nil
	switch {
	case err != nil && ctx.Err() != nil: // this caller leaves, and others may want to know
		return nil, context.Cause(ctx)
	case err != nil && len(h.runs) > 0:
		err = nil // what was known is still true
	case err == nil:
		for _, run := range h.runs { // those that ended here meanwhile
			if run.Ended.After(began) {
				runs = append(runs, run)
			}
		}
		h.runs = runs
	}
	h.read, h.err = time.Now(), err
	return h.latest(), err
}

// Asked reports whether anybody has asked for the history of a function, so that
// runs need to be added to it.
func (b *Book) Asked(store *blob.Store, folder string) bool {
	if !b.opened.Load() {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.functions[function{store, folder}] != nil
}

// Add adds a run that ended just now.
func (b *Book) Add(store *blob.Store, folder string, run record.Run) {
	past, ok := Past(run)
	if !ok {
		return
	}
	past.Ended = time.Now() // by our clock, to tell it from those read
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.of(function{store, folder})
	if len(h.runs) >= 2*Most {
		h.runs = append(make([]executor.Past, 0, 3*Most), h.latest()...)
	}
	h.runs = append(h.runs, past)
}
