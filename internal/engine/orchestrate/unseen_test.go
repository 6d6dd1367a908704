package orchestrate

import (
	"context"
	"errors"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
)

// blind is a fleet that sees no end of a worker, as that of a node which fell silent.
type blind struct{ *fleet }

func (b blind) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	w, err := b.fleet.Start(ctx, inv)
	return blindWorker{w}, err
}

type blindWorker struct{ executor.Worker }

func (w blindWorker) Wait(ctx context.Context) (executor.Exit, error) {
	_, err := w.Worker.Wait(ctx)
	return executor.Exit{Code: -1, Err: &executor.Error{Reason: executor.NodeLost, Message: "nobody heard of it"}}, err
}

// What a worker left in the store counts, though nobody saw how it ended.
func TestEndThatNobodySaw(t *testing.T) {
	inRoom(t, func(r *rig) {
		p := r.program("a", blind{r.fleet})
		r.want(p.do(r.Context(), 1), 2, Computed)
		r.do = func(context.Context, int) (int, error) { return 0, errors.New("no such city") }
		got := p.do(r.Context(), 2)
		if failed, ok := errors.AsType[*FuncError](got.err); !ok || failed.Failed.Message != "no such city" {
			t.Errorf("%v", got.err)
		}
		r.wantRuns(1, 1)
		r.wantRuns(2, 1)
	})
}
