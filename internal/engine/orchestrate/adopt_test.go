package orchestrate

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/testkit/eventlog"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// A program vanishes while its worker computes: another one adopts the worker,
// follows it to its end, gets its outcome, and shows what it prints; so it does on
// an executor that is guarded.
func TestAWorkerIsAdopted(t *testing.T) {
	for name, way := range map[string]struct{ fails, guarded bool }{
		"succeeds": {},
		"fails":    {fails: true},
		"guarded":  {guarded: true},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				var at executor.Executor = r.fleet
				if way.guarded {
					var err error
					if at, err = Guard(at, unsaid); err != nil {
						t.Fatal(err)
					}
				}
				r.do = func(_ context.Context, n int) (int, error) {
					time.Sleep(10 * time.Minute)
					if way.fails {
						return 0, errors.New("no such number")
					}
					return 2 * n, nil
				}
				var shown screen
				a, b := r.program("a", at), r.program("b", at, func(o *Options) {
					o.Output = func(string, string) io.WriteCloser { return &shown }
				})
				ctx, leaves := context.WithCancel(r.Context())
				first := a.begin(ctx, 1)
				time.Sleep(time.Minute) // so long that its log is in the store
				run := r.lease(a, 1).RunID
				a.vanishes()
				got := <-b.begin(r.Context(), 1)
				if way.fails {
					if failed, ok := errors.AsType[*FuncError](got.err); !ok || failed.RunID != run {
						r.Errorf("the second ended with %v", got.err)
					}
					if state := r.lease(b, 1); state.Status != lease.StatusReleased || state.Outcome.Kind != runs.FuncError {
						r.Errorf("the lease is left as %+v", state)
					}
				} else {
					r.want(got, 2, Awaited)
				}
				if !strings.Contains(r.logged.String(), "is adopted") {
					r.Error("nothing is said of the adoption")
				}
				if shown.String() != "the worker begins\n" {
					r.Errorf("of the worker is shown: %q", &shown)
				}
				r.wantRuns(1, 1)
				a.returns()
				leaves()
				<-first
			})
		})
	}
}

// An adopted worker that ends and leaves nothing, or whose lease is lost, has ended its
// attempt: another one follows.
func TestAnAdoptedWorkerLeavesNothing(t *testing.T) {
	for name, way := range map[string]struct {
		happens func(*rig, *program)
		want    string
	}{
		"it ends": {
			func(r *rig, _ *program) {
				r.fleet.mu.Lock()
				defer r.fleet.mu.Unlock()
				for _, w := range r.fleet.workers {
					w.cancel()
				}
			},
			"asked, waiting lease, adopted, attempt ended NoResult, waiting lease, taken-over, started, stage running, attempt ended, ended computed",
		},
		"its lease is lost": {
			func(r *rig, p *program) {
				place := p.Place(p.call(1))
				if err := place.Store.Delete(r.Context(), place.Lease()); err != nil {
					r.Fatal(err)
				}
			},
			"asked, waiting lease, adopted, attempt ended LeaseLost, started, stage running, attempt ended, ended computed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				open := make(chan struct{})
				r.waitsFor(open)
				a, b := r.program("a", r.fleet), r.program("b", r.fleet)
				ctx, leaves := context.WithCancel(r.Context())
				first := a.begin(ctx, 1)
				time.Sleep(time.Minute)
				a.vanishes()
				second := b.begin(r.Context(), 1)
				time.Sleep(2 * time.Minute)
				way.happens(r, b)
				time.Sleep(2 * time.Minute)
				close(open)
				r.want(<-second, 2, Computed)
				for _, call := range b.told.Calls() {
					if got := eventlog.Words(call); got != way.want {
						r.Errorf("told:\n%s\nwant:\n%s", got, way.want)
					}
				}
				a.returns()
				leaves()
				<-first
			})
		})
	}
}

// screen is where a program shows what workers print.
type screen struct{ syncbuf.Buffer }

func (*screen) Close() error { return nil }

// outlives is the story of a worker that runs on when its caller has left: the call
// leaves the lease held, watched by nobody, and the next caller gets the worker's
// outcome.
func (r *rig) outlives(change ...func(*Settings)) {
	r.Helper()
	open := make(chan struct{})
	r.waitsFor(open)
	a, b := r.program("a", r.fleet), r.program("b", r.fleet)
	ctx, cancel := context.WithCancel(r.Context())
	first := a.begin(ctx, 1, change...)
	time.Sleep(time.Second)
	cancel()
	if got := <-first; !errors.Is(got.err, context.Canceled) {
		r.Errorf("the first ended with %d, %v", got.out, got.err)
	}
	if state := r.lease(a, 1); state.Status != lease.StatusHeld || state.Orchestrator != "" {
		r.Errorf("the lease is left as %+v", state)
	}
	second := b.begin(r.Context(), 1)
	time.Sleep(time.Minute)
	close(open)
	r.want(<-second, 2, Awaited)
	r.wantRuns(1, 1)
}

// With Detach, a caller that cancels leaves its worker running, under a lease
// that names only the worker. The next caller finds it by its handle.
func TestDetachedWorkerIsFound(t *testing.T) {
	inRoom(t, func(r *rig) { r.outlives(func(s *Settings) { s.Detach = true }) })
}

// A worker that cannot be stopped keeps its lease: no other worker computes
// beside it, and its result counts.
func TestUnstoppableWorkerKeepsItsLease(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.fleet.stop = errors.New("the machine does not answer")
		r.outlives()
	})
}

// A program vanishes while it computes itself: nothing can be adopted, and the
// call is computed again when its session is dead.
func TestTheCallOfADeadProgramIsTakenOver(t *testing.T) {
	inRoom(t, func(r *rig) {
		open := make(chan struct{})
		r.waitsFor(open)
		a, b := r.program("a", here()), r.program("b", here())
		ctx, leaves := context.WithCancel(r.Context())
		first := a.begin(ctx, 1)
		time.Sleep(time.Second)
		a.vanishes()
		second := b.begin(r.Context(), 1)
		time.Sleep(2 * time.Minute)
		r.wantRuns(1, 2)
		close(open)
		r.want(<-second, 2, Computed)
		a.returns()
		leaves()
		<-first
	})
}
