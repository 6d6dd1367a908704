package journal

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// keep is the goroutine that writes.
func (j *Journal) keep(ctx context.Context) {
	j.writer = programs.Writer{ID: j.Head.ID, Worker: j.Worker}
	open := j.openRoot(ctx)
	close(j.opened)
	if !open {
		return
	}
	if j.Worker == "" { // so that others see it at once
		j.write(ctx, j.begin)
	}
	for next := time.NewTimer(programs.Interval(0)); ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		case <-j.wake:
		}
		j.write(ctx, j.begin)
		j.write(ctx, j.flush)
		if j.off.Load() {
			return
		}
		next.Reset(programs.Interval(time.Since(j.start)))
	}
}

func (j *Journal) openRoot(ctx context.Context) bool {
	store, err := j.Open(ctx, *j.root.Load())
	if err != nil {
		if ctx.Err() == nil { // if so, calls say it, too
			j.giveUp(err)
		}
		return false
	}
	j.writer.Store = store
	j.at.Store(&place{address: store.Address(), prefix: store.Root() + "/"})
	return true
}

// write does one thing that writes.
func (j *Journal) write(ctx context.Context, do func(context.Context) error) {
	if j.off.Load() {
		return
	}
	within, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err := do(within)
	switch {
	case err == nil, ctx.Err() != nil:
	case blob.Is(err, blob.Denied), blob.Is(err, blob.Invalid), blob.Is(err, blob.Exists):
		j.giveUp(err)
	case !j.said:
		j.said = true
		j.Logger.Debug("the record of this run waits for the store", "run", j.Head.ID, "error", err)
	}
}

// giveUp keeps nothing from now on.
func (j *Journal) giveUp(err error) {
	j.off.Store(true)
	j.mu.Lock()
	j.ended = nil
	j.mu.Unlock()
	if j.Worker == "" {
		j.Logger.Warn("no record of this run is kept: mops runs and mops summary will not show it; the option mops.KeepRun(false) or MOPS_RUNS=off does without", "root", *j.root.Load(), "error", err)
	}
}

func (j *Journal) begin(ctx context.Context) error {
	if j.begun || j.Worker != "" {
		return nil
	}
	head := j.Head
	head.Root = j.writer.Store.Root()
	err := j.writer.Begin(ctx, head)
	if j.tried && blob.Is(err, blob.Exists) {
		err = nil // it is ours: it was written, and the answer was not waited for
	}
	j.begun, j.tried = err == nil, !blob.Is(err, blob.Exists)
	return err
}

// flush writes what has come.
func (j *Journal) flush(ctx context.Context) error {
	if j.writer.Behind() {
		if err := j.writer.Append(ctx, j.state(), nil); err != nil {
			return err
		}
	}
	for {
		lines, more := j.take()
		if err := j.writer.Append(ctx, j.state(), lines); err != nil || !more {
			return err
		}
	}
}

// take encodes the calls that are to be written, as far as they fit into a segment.
func (j *Journal) take() (lines []byte, more bool) {
	j.mu.Lock()
	calls := j.ended
	j.ended = nil
	j.mu.Unlock()
	for i, c := range calls {
		if len(lines) > mostLines {
			j.mu.Lock()
			j.ended = append(calls[i:], j.ended...)
			j.mu.Unlock()
			return lines, true
		}
		c.Memo, c.Caller = j.relative(c.Memo), j.relative(c.Caller)
		for i, uri := range c.Joined {
			c.Joined[i] = j.relative(uri)
		}
		var err error
		if lines, err = programs.Encode(lines, c); err != nil {
			j.Logger.Debug("a call could not be listed in the record of this run", "call", c.Memo, "error", err)
			j.mu.Lock()
			j.dropped++
			j.mu.Unlock()
		}
	}
	return lines, false
}

// Close writes what is left and how the run ended, within 5 s. It returns when the
// journal has no goroutine any more. Closing again does nothing.
func (j *Journal) Close(exit int, cancelled bool, failure string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return
	}
	j.stop()
	j.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if j.started.Load() && j.writer.Store == nil && !j.off.Load() {
		j.openRoot(ctx) // a short program has ended before that was done
	}
	if j.writer.Store == nil {
		return
	}
	defer j.writer.Store.Close()
	if j.off.Load() {
		return
	}
	err := j.end(ctx, exit, cancelled, failure)
	j.mu.Lock()
	dropped := j.dropped
	j.mu.Unlock()
	switch {
	case err != nil:
		j.Logger.Warn("the record of this run is not complete: the store did not take its end", "run", j.Head.ID, "error", err)
	case dropped > 0:
		j.Logger.Warn("the record of this run does not list all of its calls: the store was away for too long", "run", j.Head.ID, "calls", dropped)
	}
}

// end writes all at once: a short program waits for one answer.
func (j *Journal) end(ctx context.Context, exit int, cancelled bool, failure string) error {
	state := j.state()
	if j.Worker != "" {
		if len(state.Functions) == 0 {
			return nil
		}
		j.writer.Seal()
		return j.flush(ctx)
	}
	j.writer.Seal()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return j.begin(ctx) })
	group.Go(func() error { return j.flush(ctx) })
	group.Go(func() error {
		return j.writer.End(ctx, programs.End{End: time.Now().UTC(), Exit: exit, Cancelled: cancelled, Error: failure, State: state})
	})
	return group.Wait()
}
