package mops

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
)

// Run is what a function can know of its run. A pure function uses it in
// messages only.
type Run struct {
	Function string // name@version
	URI      string // memo URI of the call
	ID       string // run id
	Attempt  int    // 1 for the first
}

// RunInfo tells which run a function is in; outside of one, it is the zero Run.
func RunInfo(ctx context.Context) Run {
	running := worker.FromContext(ctx)
	if running == nil {
		return Run{}
	}
	return Run{Function: running.Function, URI: running.URI, ID: running.RunID, Attempt: running.Attempt}
}

// Record keeps a field of the user's in the record of the run, for people: how
// many rows were read, how good the fit was. The field is no part of the
// result. Record encodes value at once, with encoding/json; if JSON cannot
// encode it (NaN, a channel), a text with the reason replaces it. The last
// value of a key stays. Outside of a function the field is one of the program's
// run, beside those of [RunField]. Without an environment Record does nothing. It
// is safe for concurrent use.
func Record(ctx context.Context, key string, value any) {
	if running := worker.FromContext(ctx); running != nil {
		running.Record(key, value)
	} else if env := envOf(ctx); env != nil {
		env.journal.Record(key, value)
	}
}

// Logger is the logger of the run that a function is in, which adds function
// and run to every line; outside of a run it is slog.Default(). The lines that the
// program's logger takes are kept with the run, for mops logs, wherever it runs.
func Logger(ctx context.Context) *slog.Logger {
	if running := worker.FromContext(ctx); running != nil {
		return slog.New(inContext{running.Logger().Handler(), ctx})
	}
	return slog.Default()
}

// Output is where a function prints what shall be kept with its run, for mops logs.
// The lines appear on standard error behind the name of their call, as those of
// workers do. It never fails, and is safe for concurrent use; what is written after the
// function has returned is dropped. Outside of a run it is os.Stderr.
//
// What a function of this process prints to os.Stdout or os.Stderr goes there and is
// not kept, as nobody can tell which of the functions that run side by side printed
// it. In a process of its own, as with subprocess.New, all of it is kept.
func Output(ctx context.Context) io.Writer {
	if running := worker.FromContext(ctx); running != nil {
		return running.Output()
	}
	return os.Stderr
}

// inContext is a handler of a function, which logs in the function's context where
// a line has none: handlers find the trace there.
type inContext struct {
	slog.Handler
	ctx context.Context
}

func (h inContext) Handle(ctx context.Context, r slog.Record) error {
	if ctx == context.Background() {
		ctx = h.ctx
	}
	return h.Handler.Handle(ctx, r)
}

func (h inContext) WithAttrs(attrs []slog.Attr) slog.Handler {
	return inContext{h.Handler.WithAttrs(attrs), h.ctx}
}

func (h inContext) WithGroup(name string) slog.Handler {
	return inContext{h.Handler.WithGroup(name), h.ctx}
}

// OutDir is a folder for the files that a function returns with [File] or
// [Dir]. It is empty at first; mops removes it when the run has ended and the
// files are in the store. With [Off] and [ReadOnly] nothing goes to a store, so
// it stays. It lies in the folder for temporary files. Outside of a run, each
// call of OutDir makes a new temporary folder. It fails if the folder cannot be
// made.
func OutDir(ctx context.Context) (string, error) {
	if running := worker.FromContext(ctx); running != nil {
		return running.OutDir()
	}
	return os.MkdirTemp("", "mops-out-")
}
