package worker

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
)

// output is what a run in this process says of itself: the lines of its logger, and
// what it prints to Output. A worker that is a process of its own has none, as all that
// it prints is kept by who reads it. The zero value is ready, and has asked nothing of
// the store before there is something to keep. It is safe for concurrent use.
type output struct {
	mu    sync.Mutex
	kept  *runlog.Writer // nil before there is anything, and if nothing is kept
	shown io.WriteCloser // nil before there is anything
	ended bool           // the run has: what its goroutines still say is not kept
}

// Output is where the function prints what shall be kept with its run.
func (r *Running) Output() io.Writer {
	if r.apart {
		return os.Stderr
	}
	return printed{r}
}

// printed is shown, and kept.
type printed struct{ r *Running }

func (p printed) Write(text []byte) (int, error) {
	o := &p.r.output
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return len(text), nil
	}
	if o.shown == nil && p.r.show != nil {
		o.shown = p.r.show(p.r.name, p.r.URI)
	}
	if o.shown != nil {
		_, _ = o.shown.Write(text) // what people see decides nothing
	}
	o.keep(p.r, text)
	return len(text), nil
}

// logged is kept; the program's logger shows it.
type logged struct{ r *Running }

func (l logged) Write(line []byte) (int, error) {
	o := &l.r.output
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.keep(l.r, line)
	}
	return len(line), nil
}

// keep adds to the log of the run. The caller holds mu.
func (o *output) keep(r *Running, text []byte) {
	if !r.keep || len(text) == 0 {
		return
	}
	if o.kept == nil {
		o.kept = runlog.NewWriter(r.place.Store, r.place.Log(r.RunID), 1, r.logger)
	}
	_, _ = o.kept.Write(text) // it never fails
}

// end is for the end of the function. The log is written meanwhile, and is in the
// store when wait returns. The context is the run's.
func (o *output) end(ctx context.Context) (wait func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	if o.shown != nil {
		_ = o.shown.Close()
	}
	if o.kept == nil {
		return func() {}
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		o.kept.Close(ctx)
	}()
	return func() { <-written }
}

// keeping is a handler whose lines are kept in the log of a run, too.
type keeping struct {
	slog.Handler
	log slog.Handler
}

func (k keeping) Handle(ctx context.Context, line slog.Record) error {
	_ = k.log.Handle(ctx, line.Clone())
	return k.Handler.Handle(ctx, line)
}

func (k keeping) WithAttrs(attrs []slog.Attr) slog.Handler {
	return keeping{k.Handler.WithAttrs(attrs), k.log.WithAttrs(attrs)}
}

func (k keeping) WithGroup(name string) slog.Handler {
	return keeping{k.Handler.WithGroup(name), k.log.WithGroup(name)}
}
