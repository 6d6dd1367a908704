package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

func TestMissAndHit(t *testing.T) {
	for name, executor := range map[string]func(*rig) executor.Executor{
		"here":      func(*rig) executor.Executor { return here() },
		"elsewhere": func(r *rig) executor.Executor { return r.fleet },
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				a, b := r.program("a", executor(r)), r.program("b", executor(r))
				r.want(a.do(r.Context(), 1), 2, Computed)
				r.want(a.do(r.Context(), 1), 2, Hit)
				r.want(b.do(r.Context(), 1), 2, Hit)
				r.wantRuns(1, 1)
			})
		})
	}
}

// Two programs want one call: the second gets what the first computes, and its
// failure as well, in process and elsewhere.
func TestTheOutcomeIsShared(t *testing.T) {
	for _, fails := range []bool{false, true} {
		for name, executor := range map[string]func(*rig) executor.Executor{
			"here":      func(*rig) executor.Executor { return here() },
			"elsewhere": func(r *rig) executor.Executor { return r.fleet },
		} {
			t.Run(name+map[bool]string{true: " fails"}[fails], func(t *testing.T) {
				inRoom(t, func(r *rig) {
					r.do = func(_ context.Context, n int) (int, error) {
						time.Sleep(time.Minute)
						if fails {
							return 0, errors.New("no such number")
						}
						return 2 * n, nil
					}
					a, b := r.program("a", executor(r)), r.program("b", executor(r))
					first := a.begin(r.Context(), 1)
					time.Sleep(time.Second)
					second := b.begin(r.Context(), 1)
					for i, call := range []<-chan ended{first, second} {
						got := <-call
						switch {
						case !fails:
							r.want(got, 2, []How{Computed, Awaited}[i])
						case got.err == nil || got.err.Error() != "no such number":
							r.Errorf("call %d ended with %d, %v", i, got.out, got.err)
						}
					}
					r.wantRuns(1, 1)
				})
			})
		}
	}
}

// If a lease is lost while its call is computed, the call waits for the new
// holder, up to three times.
func TestALeaseIsLost(t *testing.T) {
	inRoom(t, func(r *rig) {
		a := r.program("a", r.fleet)
		r.do = func(ctx context.Context, _ int) (int, error) {
			time.Sleep(time.Second)
			place := a.Place(a.call(1))
			state, version, err := lease.Read(r.Context(), place.Store, place.Lease())
			if err != nil {
				return 0, err
			}
			state.Status, state.Outcome = lease.StatusReleased, &lease.Outcome{Kind: runs.Broken}
			if _, err := lease.Put(r.Context(), place.Store, place.Lease(), version, state); err != nil {
				return 0, err
			}
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}
		got := a.do(r.Context(), 1)
		if failed, ok := errors.AsType[*executor.Error](got.err); !ok || failed.Reason != executor.LeaseLost {
			r.Errorf("the call ended with %d, %v", got.out, got.err)
		}
		r.wantRuns(1, mostLosses)
	})
}

// Calls that wait for each other in a circle end with ErrCycle: within a chain, within
// a program, and across two of them.
func TestWaitsInACircle(t *testing.T) {
	for name, way := range map[string]struct {
		at       func(r *rig) executor.Executor
		programs int
		longest  time.Duration
	}{
		"one program":  {func(*rig) executor.Executor { return here() }, 1, time.Second},
		"two programs": {func(*rig) executor.Executor { return here() }, 2, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				began := time.Now()
				programs := make([]*program, way.programs)
				for i := range programs {
					programs[i] = r.program(string(rune('a'+i)), way.at(r))
				}
				r.do = func(ctx context.Context, n int) (int, error) { // 1 calls 2, and 2 calls 1
					time.Sleep(time.Second / 10)
					e := programs[(n-1)%way.programs].do(ctx, 3-n)
					return e.out, e.err
				}
				first := programs[0].begin(r.Context(), 1)
				second := programs[way.programs-1].begin(r.Context(), 2)
				for i, call := range []<-chan ended{first, second} {
					if got := <-call; got.err == nil || !strings.Contains(got.err.Error(), "waits for itself") {
						r.Errorf("call %d ended with %d, %v", i+1, got.out, got.err)
					}
				}
				if took := time.Since(began); took > way.longest {
					r.Errorf("it took %v", took)
				}
			})
		})
	}
}

// Callers that share a flight come and go: it is cancelled when the last one
// leaves, and a call made meanwhile waits until all is cleaned up.
func TestTheLastWhoLeavesCancels(t *testing.T) {
	inRoom(t, func(r *rig) {
		stopped := make(chan error, 2)
		r.do = func(ctx context.Context, n int) (int, error) {
			select {
			case <-ctx.Done():
				time.Sleep(time.Second) // it cleans up
				stopped <- context.Cause(ctx)
				return 0, context.Cause(ctx)
			case <-time.After(time.Minute):
				return 2 * n, nil
			}
		}
		a := r.program("a", here())
		one, cancelOne := context.WithCancel(r.Context())
		two, cancelTwo := context.WithCancel(r.Context())
		first, second := a.begin(one, 1), a.begin(two, 1)
		synctest.Wait()
		cancelOne()
		<-first
		time.Sleep(time.Second)
		if len(stopped) > 0 {
			r.Error("the run was stopped, though somebody wants it")
		}
		cancelTwo()
		synctest.Wait()
		r.want(a.do(r.Context(), 1), 2, Computed)
		<-second
		if len(stopped) != 1 {
			r.Errorf("%d runs were stopped", len(stopped))
		}
		r.wantRuns(1, 2)
	})
}

// If a function is cancelled, what it returns is no outcome of the call.
func TestNobodyWaitsAnyMore(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.waitsFor(nil)
		a := r.program("a", here())
		ctx, cancel := context.WithCancel(r.Context())
		call := a.begin(ctx, 1)
		synctest.Wait()
		cancel()
		if got := <-call; !errors.Is(got.err, context.Canceled) {
			r.Errorf("it ended with %v", got.err)
		}
		if state := r.lease(a, 1); state.Status != lease.StatusReleased || state.Outcome.Kind != runs.Cancelled {
			r.Errorf("the lease is left as %+v", state)
		}
	})
}

// A failed call is tried again as often as allowed, with one lease and a new
// run each time; so is a call that is not kept.
func TestFailuresAreTriedAgain(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"kept":      func(s *Settings) { s.Retries = 2 },
		"not kept":  func(s *Settings) { s.Retries, s.Off = 2, true },
		"read only": func(s *Settings) { s.Retries, s.ReadOnly = 2, true },
	} {
		for failures, want := range map[int]int{2: 3, 5: 3} {
			t.Run(fmt.Sprintf("%s/%d failures", name, failures), func(t *testing.T) {
				inRoom(t, func(r *rig) {
					runs := map[string]bool{}
					r.do = func(ctx context.Context, n int) (int, error) {
						running := worker.FromContext(ctx)
						if runs[running.RunID] = true; running.Attempt != len(runs) {
							r.Errorf("run %d is attempt %d", len(runs), running.Attempt)
						}
						if len(runs) <= failures {
							return 0, errors.New("not yet")
						}
						return 2 * n, nil
					}
					a := r.program("a", here())
					got := a.do(r.Context(), 1, change)
					if failures < want {
						r.want(got, 2, Computed)
					} else if failed, ok := errors.AsType[*FuncError](got.err); !ok || !runs[failed.RunID] {
						r.Errorf("it ended with %d, %v", got.out, got.err)
					}
					r.wantRuns(1, want)
				})
			})
		}
	}
}

// A run that takes too long is stopped; one that cannot be stopped ends the call
// all the same, and keeps the lease until it has ended.
func TestTimeout(t *testing.T) {
	for _, off := range []bool{false, true} {
		for _, heeds := range []bool{true, false} {
			t.Run(fmt.Sprintf("off=%t heeds=%t", off, heeds), func(t *testing.T) {
				inRoom(t, func(r *rig) {
					r.do = func(ctx context.Context, n int) (int, error) {
						if heeds {
							<-ctx.Done()
							return 0, context.Cause(ctx)
						}
						time.Sleep(time.Minute)
						return 0, nil
					}
					a := r.program("a", here())
					began := time.Now()
					got := a.do(r.Context(), 1, func(s *Settings) { s.Off, s.Timeout, s.Retries = off, 10*time.Second, 0 })
					if e, ok := errors.AsType[*executor.Error](got.err); !ok || e.Reason != executor.DeadlineExceeded {
						r.Errorf("it ended with %d, %v", got.out, got.err)
					}
					if took := time.Since(began); took > 10*time.Second+2*stopGrace {
						r.Errorf("it took %v", took)
					}
					if !off {
						if state := r.lease(a, 1); (state.Status == lease.StatusHeld) == heeds {
							r.Errorf("the lease is %+v", state)
						}
					}
					time.Sleep(time.Hour)
					if !off {
						if state := r.lease(a, 1); state.Status != lease.StatusReleased {
							r.Errorf("the function has ended, and the lease is %+v", state)
						}
					}
					r.wantRuns(1, 1)
				})
			})
		}
	}
}

// A call that was started goes on while nobody waits, until it is given up.
func TestStartedCalls(t *testing.T) {
	inRoom(t, func(r *rig) {
		open := make(chan struct{})
		r.waitsFor(open)
		a := r.program("a", here())
		first, err := a.Start(r.Context(), a.call(1))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(r.Context())
		second, err := a.Start(ctx, a.call(2))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if first.Ended() || second.Ended() || r.ran(1) != 1 || r.ran(2) != 1 {
			r.Errorf("ended: %t, %t", first.Ended(), second.Ended())
		}
		cancel()
		if _, err := second.Wait(r.Context()); !errors.Is(err, context.Canceled) {
			r.Errorf("what was given up ended with %v", err)
		}
		close(open)
		outcome, err := first.Wait(r.Context())
		if err != nil || outcome.How != Computed {
			r.Errorf("it ended with %q, %v", outcome.How, err)
		}
		again, err := a.Start(r.Context(), a.call(1))
		if err != nil {
			t.Fatal(err)
		}
		<-again.Done()
		if outcome := again.Outcome(); outcome.How != Hit {
			r.Errorf("the next one is %q", outcome.How)
		}
	})
}

// A worker that ends without a word leaves a record of its run, and an error that
// says what is known.
func TestWorkerLeavesNothing(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.fleet.dies = true
		a := r.program("a", r.fleet)
		got := a.do(r.Context(), 1)
		failed, ok := errors.AsType[*executor.Error](got.err)
		if !ok || failed.Reason != executor.NoResult {
			r.Fatalf("it ended with %d, %v", got.out, got.err)
		}
		state := r.lease(a, 1)
		if state.Status != lease.StatusReleased || state.Outcome.Kind != runs.ExecError || state.Outcome.Reason != executor.NoResult {
			r.Errorf("the lease is left as %+v", state)
		}
		left, err := a.Place(a.call(1)).ReadRun(r.Context(), state.RunID)
		if err != nil || left.Run.Reason != executor.NoResult {
			r.Errorf("the record of the run is %+v, %v", left.Run, err)
		}
		r.fleet.dies = false
		r.want(a.do(r.Context(), 1), 2, Computed)
	})
}
