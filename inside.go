package mops

import (
	"context"
	"log/slog"
	"os"

	"github.com/TrilliantHealth/mops-go/internal/worker"
)

// Run is what a function can know of the run that it is in. A pure function
// uses it in messages only.
type Run struct {
	Function string // name@version
	URI      string // memo URI of the call
	ID       string // run id
	Attempt  int    // 1 for the first
}

// RunInfo tells which run a function is in; the zero Run outside of one.
func RunInfo(ctx context.Context) Run {
	running := worker.FromContext(ctx)
	if running == nil {
		return Run{}
	}
	return Run{Function: running.Function, URI: running.URI, ID: running.RunID, Attempt: running.Attempt}
}

// Record keeps a field of the user's in the record of the run, for people: how
// many rows were read, how good the fit was. It is no part of the result. Value
// is written down at once, as encoding/json does it; in place of one that JSON
// does not have, such as NaN or a channel, stands the reason. The last value of
// a key stays. Outside of a run Record does nothing.
func Record(ctx context.Context, key string, value any) {
	if running := worker.FromContext(ctx); running != nil {
		running.Record(key, value)
	}
}

// Logger is the logger of the run that a function is in, which names function
// and run in every line; the default logger outside of one.
func Logger(ctx context.Context) *slog.Logger {
	if running := worker.FromContext(ctx); running != nil {
		return running.Logger()
	}
	return slog.Default()
}

// OutDir is a folder for the files that a function returns with [File] or [Dir]:
// empty at first, and gone when the run has ended and its files are in the
// store. With [Off] and [ReadOnly], where nothing goes to a store, it stays:
// it lies in the folder for temporary files. Outside of a run it is a new
// temporary folder.
func OutDir(ctx context.Context) (string, error) {
	if running := worker.FromContext(ctx); running != nil {
		return running.OutDir()
	}
	return os.MkdirTemp("", "mops-out-")
}
