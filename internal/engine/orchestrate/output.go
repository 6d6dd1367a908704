package orchestrate

import (
	"context"
	"io"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/ability"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
)

// output is where a worker's lines go: to the person at the terminal, and into
// the log of its run.
type output struct {
	kept  *runlog.Writer // nil if the worker keeps its own log
	shown io.WriteCloser // may be nil
}

func (f *flight) openOutput(runID string) *output {
	out := &output{}
	if !ability.RunsRemotely(f.call.Executor) {
		out.kept = runlog.NewWriter(f.root.store, f.place.Log(runID), 1, f.engine.Logger)
	}
	if f.engine.Output != nil {
		out.shown = f.engine.Output(f.call.Function.Name, f.place.URI())
	}
	return out
}

func (o *output) write(chunk []byte) {
	if o.kept != nil {
		o.kept.Write(chunk)
	}
	if o.shown != nil {
		o.shown.Write(chunk)
	}
}

// Close keeps and shows the rest. The context is the run's.
func (o *output) Close(ctx context.Context) {
	if o.kept != nil {
		o.kept.Close(ctx)
	}
	if o.shown != nil {
		o.shown.Close()
	}
}

// followInterval is how often we look at the log of a worker that is not our
// child: its chunks come about as often.
const followInterval = 2 * time.Second

// followLog shows the log that a worker keeps by itself, until stop is called,
// which shows the rest.
func (f *flight) followLog(runID string) (stop func()) {
	if f.engine.Output == nil {
		return func() {}
	}
	to := f.engine.Output(f.call.Function.Name, f.place.URI())
	ended, done := make(chan struct{}), make(chan struct{})
	ctx := context.WithoutCancel(f.ctx)
	go func() {
		defer close(done)
		defer to.Close()
		ticker := time.NewTicker(followInterval)
		defer ticker.Stop()
		for next := 1; ; {
			select {
			case <-ticker.C:
				next, _ = runlog.Copy(ctx, to, f.root.store, f.place.Log(runID), next)
			case <-ended:
				runlog.Copy(ctx, to, f.root.store, f.place.Log(runID), next)
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}
