package orchestrate

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// A function that ends its goroutine fails its call, and the lease is free.
func TestGoexit(t *testing.T) {
	for name, retries := range map[string]int{"once": 0, "tried again": 2} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				r.do = func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil }
				p, other := r.program("p", here()), r.program("other", here())
				got := p.do(r.Context(), 1, func(s *Settings) { s.Retries = retries })
				if _, ok := errors.AsType[*FuncError](got.err); !ok || !strings.Contains(got.err.Error(), "runtime.Goexit") {
					t.Errorf("the call ended with %v", got.err)
				}
				r.wantRuns(1, 1+retries)
				if s := r.lease(p, 1); s.Status != lease.StatusReleased || s.Outcome.Kind != runs.FuncError {
					t.Errorf("the lease is %+v", s)
				}
				r.do = func(_ context.Context, n int) (int, error) { return 2 * n, nil }
				r.want(other.do(r.Context(), 1), 2, Computed)
			})
		})
	}
}

// A call does not wait for a function that does not heed its context; the lease
// does, and the slot is free for others.
func TestHeedless(t *testing.T) {
	gaveUp := errors.New("gave up")
	for name, c := range map[string]struct {
		timeout time.Duration
		cancel  bool
		retries int
	}{
		"cancelled":                {0, true, 0},
		"timed out":                {time.Minute, false, 0},
		"timed out with retries":   {time.Minute, false, 3},
		"cancelled with retries":   {0, true, 3},
		"cancelled before timeout": {time.Hour, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				open := make(chan struct{})
				r.do = func(_ context.Context, n int) (int, error) {
					if n == 1 {
						<-open
					}
					return 2 * n, nil
				}
				p := r.program("p", one())
				ctx, cancel := context.WithCancelCause(r.Context())
				defer cancel(nil)
				call := p.begin(ctx, 1, func(s *Settings) { s.Timeout, s.Retries = c.timeout, c.retries })
				synctest.Wait()
				if c.cancel {
					cancel(gaveUp)
				}
				began := time.Now()
				got := <-call
				failure, timedOut := errors.AsType[*executor.Error](got.err)
				switch {
				case c.cancel && !errors.Is(got.err, gaveUp):
					t.Errorf("the call ended with %v", got.err)
				case !c.cancel && (!timedOut || failure.Reason != executor.DeadlineExceeded || !strings.Contains(failure.Message, "heed")):
					t.Errorf("the call ended with %v", got.err)
				}
				if took := time.Since(began); took > c.timeout+stopGrace+time.Second {
					t.Errorf("that took %v", took)
				}
				r.want(p.do(r.Context(), 2), 4, Computed) // there is one slot
				if s := r.lease(p, 1); s.Status != lease.StatusHeld {
					t.Errorf("the function runs, and its lease is %+v", s)
				}
				close(open)
				synctest.Wait()
				if s := r.lease(p, 1); s.Status != lease.StatusReleased || s.Outcome.Kind != runs.Cancelled {
					t.Errorf("the function has returned, and its lease is %+v", s)
				}
				r.wantRuns(1, 1)
				r.want(p.do(r.Context(), 1), 2, Computed)
			})
		})
	}
}

// A lease is lost while the function does not return: the call ends with what
// the other session computes.
func TestHeedlessWithoutLease(t *testing.T) {
	inRoom(t, func(r *rig) {
		open := make(chan struct{})
		r.do = func(_ context.Context, n int) (int, error) {
			if r.ran(n) == 1 {
				<-open
			}
			return 2 * n, nil
		}
		a, b := r.program("a", here()), r.program("b", here())
		first := a.begin(r.Context(), 1)
		time.Sleep(time.Second)
		a.vanishes()
		r.want(b.do(r.Context(), 1), 2, Computed)
		a.returns()
		r.want(<-first, 2, Awaited)
		close(open)
		r.wantRuns(1, 2)
	})
}

// A function that returns in time is not left behind, and none of it stays.
func TestHeedful(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.do = func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			time.Sleep(stopGrace - time.Millisecond)
			return 2 * n, nil
		}
		p := r.program("p", here())
		got := p.do(r.Context(), 1, func(s *Settings) { s.Timeout, s.Retries = time.Second, 1 })
		if failure, ok := errors.AsType[*executor.Error](got.err); !ok || failure.Reason != executor.DeadlineExceeded {
			t.Errorf("the call ended with %v", got.err)
		}
		r.wantRuns(1, 2)
		if log := r.logged.String(); strings.Contains(log, "heed") {
			t.Errorf("the log has %s", log)
		}
	})
}
