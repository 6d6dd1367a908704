// Package runlog keeps what a worker prints in the blob store, in numbered
// chunks beside the run's record, as it comes: so the last words of a worker
// that was killed are there. The orchestrator writes it for workers whose
// output it reads, the worker itself where nobody else does.
package runlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

const (
	// chunkSize is how much a chunk holds before it is written.
	chunkSize = 256 << 10
	// firstDelay and lastDelay are how long what was printed may wait for its
	// chunk: what is not in the store is lost with the process that writes it. The
	// delay doubles with every chunk, so that a run of hours does not leave
	// thousands.
	firstDelay = 250 * time.Millisecond
	lastDelay  = 8 * time.Second
	// keepFirst and keepLast bound what is kept of a run that prints without
	// end: its beginning, and its last words.
	keepFirst = 32 << 20
	keepLast  = 1 << 20
	// lastWords is how long a log may take to be kept whose run was cancelled.
	lastWords = time.Minute
	// oneTry is for the last part of a log whose part before was given up.
	oneTry = 2 * time.Second
	// mostChunk is more than a chunk can have, which is all that is kept of a run
	// where it comes at once.
	mostChunk = keepFirst + 4*keepLast
)

// Writer writes the log of one run. Write never blocks on the store and never
// fails. While the store is away, what is printed waits for it, within the bounds
// of a run that prints without end; in the end, for as long as the log took to be
// printed (see blob.Patience), and once for all parts of it. What cannot be kept is
// reported once.
type Writer struct {
	store  *blob.Store
	prefix string
	logger *slog.Logger
	next   int  // number of a chunk; of the goroutine that writes them
	gaveUp bool // its: the store was waited for once, in the end

	mu      sync.Mutex
	pending bytes.Buffer
	tail    bytes.Buffer // behind keepFirst: the newest keepLast bytes, roughly
	kept    int64
	dropped int64
	failed  bool
	wake    chan struct{}
	closed  chan struct{}
	done    chan struct{}
	began   time.Time // when something was printed first; zero before
	cancel  context.CancelFunc
}

// NewWriter makes a writer of chunks prefix/<n>, from number first on. No
// goroutine runs and nothing is written before there is something to write.
func NewWriter(store *blob.Store, prefix string, first int, logger *slog.Logger) *Writer {
	return &Writer{
		store: store, prefix: prefix, next: first, logger: logger,
		wake: make(chan struct{}, 1), closed: make(chan struct{}), done: make(chan struct{}),
	}
}

// Write takes what was printed.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() && len(p) > 0 {
		w.began = time.Now()
		// Not the run's context: a run that is cancelled keeps its last words.
		ctx, cancel := context.WithCancel(context.Background())
		w.cancel = cancel
		go w.run(ctx)
	}
	rest := p
	if room := keepFirst - w.kept; room > 0 {
		head := rest[:min(int64(len(rest)), room)]
		w.pending.Write(head)
		w.kept += int64(len(head))
		rest = rest[len(head):]
	}
	if len(rest) > 0 {
		w.tail.Write(rest)
		if over := w.tail.Len() - 2*keepLast; over > 0 {
			w.dropped += int64(w.tail.Len() - keepLast)
			w.tail.Next(w.tail.Len() - keepLast)
		}
	}
	if w.pending.Len() >= chunkSize {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// Close writes what is left and returns when it is in the store. When the context
// ends, which is that of the run, this is given up after a minute.
func (w *Writer) Close(ctx context.Context) {
	w.mu.Lock()
	began := w.began
	w.mu.Unlock()
	if began.IsZero() {
		return
	}
	close(w.closed)
	defer w.cancel()
	select {
	case <-w.done:
		return
	case <-ctx.Done():
	}
	giveUp := time.AfterFunc(lastWords, w.cancel)
	defer giveUp.Stop()
	<-w.done
}

func (w *Writer) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// run writes a chunk when there is enough for one, or when it waited long enough.
func (w *Writer) run(ctx context.Context) {
	defer close(w.done)
	delay := firstDelay
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for {
		select {
		case <-w.wake:
			w.flush(ctx)
		case <-timer.C:
			if w.flush(ctx) {
				delay = min(2*delay, lastDelay)
			}
			timer.Reset(delay)
		case <-w.closed:
			w.finish(ctx)
			return
		}
	}
}

func (w *Writer) finish(ctx context.Context) {
	w.mu.Lock()
	if w.dropped > 0 {
		fmt.Fprintf(&w.pending, "\n[mops: %d bytes left out here]\n", w.dropped)
	}
	w.pending.Write(w.tail.Bytes())
	w.mu.Unlock()
	w.flush(ctx)
}

// flush writes what is pending as a chunk, if there is anything.
func (w *Writer) flush(ctx context.Context) (written bool) {
	w.mu.Lock()
	if w.pending.Len() == 0 {
		w.mu.Unlock()
		return false
	}
	chunk := bytes.Clone(w.pending.Bytes())
	w.pending.Reset()
	w.mu.Unlock()

	if w.gaveUp {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, oneTry)
		defer cancel()
	} else {
		ctx = blob.Patient(ctx, blob.Patience{Since: w.began, What: "the log " + w.store.URI(w.prefix), Made: true})
	}
	err := w.put(ctx, chunk)
	for blob.Is(err, blob.Unavailable) && !w.isClosed() { // the run is not over, so nothing needs to be given up
		err = w.put(ctx, chunk)
	}
	w.gaveUp = w.gaveUp || blob.Is(err, blob.Unavailable)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !w.failed {
		w.failed = true
		w.logger.Warn("a part of a worker's log could not be kept", "bytes", len(chunk), "error", err)
	}
	return true
}

// put writes a chunk under the next number that is free: while a worker is
// orphaned, what its orchestrator read last and what it prints then come from
// two writers.
func (w *Writer) put(ctx context.Context, chunk []byte) error {
	for {
		_, err := w.store.PutBytes(ctx, fmt.Sprintf("%s/%06d", w.prefix, w.next), chunk, blob.PutOptions{IfAbsent: true})
		if err == nil || blob.Is(err, blob.Exists) {
			w.next++
		}
		if !blob.Is(err, blob.Exists) {
			return err
		}
	}
}
