package lease_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

func TestReleaseLeavesTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		ctx, held := mustTake(t, p)
		outcome := lease.Outcome{Kind: runs.ExecError, RunID: "r", Reason: "OOMKilled", Message: "m", Detail: "d"}
		if err := held.Release(t.Context(), outcome); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() == nil {
			t.Error("the context of a released lease goes on")
		}
		state, version := mustRead(t, p.store)
		if state.Status != lease.StatusReleased || state.Outcome == nil || *state.Outcome != outcome {
			t.Errorf("released as %+v, %+v", state, state.Outcome)
		}
		_, again, err := p.session.Take(t.Context(), key, version, state)
		if err != nil {
			t.Fatal(err)
		}
		again.Done()
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusHeld || state.Outcome != nil {
			t.Errorf("taken again as %+v", state)
		}
	})
}

// If a person breaks a lease, or another session takes it, the context of its
// holder ends at the next renewal.
func TestBrokenLeaseIsNoticed(t *testing.T) {
	for name, brk := range map[string]func(*testing.T, *blob.Store){
		"released": func(t *testing.T, store *blob.Store) {
			state, version := mustRead(t, store)
			state.Status, state.Outcome = lease.StatusReleased, &lease.Outcome{Kind: runs.Broken, Message: "by ada"}
			if _, err := lease.Put(t.Context(), store, key, version, state); err != nil {
				t.Fatal(err)
			}
		},
		"taken": func(t *testing.T, store *blob.Store) {
			state, version := mustRead(t, store)
			state.LeaseID = lease.NewID()
			if _, err := lease.Put(t.Context(), store, key, version, state); err != nil {
				t.Fatal(err)
			}
		},
		"deleted": func(t *testing.T, store *blob.Store) {
			if err := store.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProc(newStore())
				defer mustClose(t, p)
				ctx, held := mustTake(t, p)
				other, kept, err := p.session.Take(t.Context(), "another/lease", "", lease.State{})
				if err != nil {
					t.Fatal(err)
				}
				defer kept.Done()
				brk(t, p.store)
				time.Sleep(17 * time.Second) // two renewals for two leases
				mustLose(t, ctx)
				if other.Err() != nil {
					t.Errorf("the other lease ended too: %v", context.Cause(other))
				}
				if err := held.Release(t.Context(), lease.Outcome{Kind: runs.OK}); !errors.Is(err, lease.ErrLost) {
					t.Errorf("releasing what is lost: %v, want ErrLost", err)
				}
			})
		})
	}
}

// A damaged lease still belongs to its owner.
func TestDamagedLeaseIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		ctx, held := mustTake(t, p)
		if _, err := p.store.PutBytes(t.Context(), key, nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		if err := held.Update(t.Context(), func(s *lease.State) { s.Handle = "job/1" }); err != nil {
			t.Fatal(err)
		}
		if state, _ := mustRead(t, p.store); state.Handle != "job/1" || state.Status != lease.StatusHeld {
			t.Errorf("mended as %+v", state)
		}
	})
}

// A worker takes the lease over from its orchestrator without reading it. Both
// hold it: the worker computes, the orchestrator waits, and releases it in the
// end.
func TestWorkerAndOrchestrator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		p, worker := newProc(base), newProc(base)
		defer mustClose(t, p, worker)
		waiting, held := mustTake(t, p)
		given, err := held.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		version, err := held.Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		computing, working, err := worker.session.Take(t.Context(), key, version,
			lease.State{ID: runs.ID{LeaseID: given.LeaseID, Attempt: 1}, Orchestrator: given.Orchestrator})
		if err != nil {
			t.Fatal(err)
		}
		if n := worker.count("get", false); n != 0 {
			t.Errorf("the worker read the lease %d times", n)
		}
		time.Sleep(30 * time.Second)
		if waiting.Err() != nil || computing.Err() != nil {
			t.Fatalf("the orchestrator: %v; the worker: %v", context.Cause(waiting), context.Cause(computing))
		}

		// A second worker with the same token comes too late.
		if _, _, err := p.session.Take(t.Context(), key, version, given); !blob.Is(err, blob.Mismatch) {
			t.Errorf("a second worker: %v, want Mismatch", err)
		}

		// The orchestrator dies; another one joins the worker.
		heir := newProc(base)
		defer mustClose(t, heir)
		found, version := mustRead(t, heir.store)
		found.Orchestrator = ""
		inherited, _, err := heir.session.Take(t.Context(), key, version, found)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if computing.Err() != nil || inherited.Err() != nil {
			t.Errorf("the worker: %v; the heir: %v", context.Cause(computing), context.Cause(inherited))
		}
		mustLose(t, waiting)
		working.Done()
	})
}

// A new attempt under the same lease ends the worker of the attempt before.
func TestNextAttemptEndsTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		p, worker := newProc(base), newProc(base)
		defer mustClose(t, p, worker)
		_, held := mustTake(t, p)
		given, _ := held.State(t.Context())
		version, _ := held.Version(t.Context())
		computing, _, err := worker.session.Take(t.Context(), key, version,
			lease.State{ID: runs.ID{LeaseID: given.LeaseID}, Orchestrator: given.Orchestrator})
		if err != nil {
			t.Fatal(err)
		}
		if err := held.Update(t.Context(), func(s *lease.State) { s.Attempt, s.Session = 2, s.Orchestrator }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		mustLose(t, computing)
	})
}

// If a release fails, the session releases the lease when the store answers
// again.
func TestReleaseIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		_, held := mustTake(t, p)
		p.kill()
		if err := held.Release(t.Context(), lease.Outcome{Kind: runs.FuncError, RunID: "r"}); !blob.Is(err, blob.Unavailable) {
			t.Errorf("%v, want Unavailable", err)
		}
		p.set(nil, nil)
		time.Sleep(9 * time.Second)
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusReleased || state.Outcome.RunID != "r" {
			t.Errorf("the lease is %+v", state)
		}
	})
}

// If taking a lease succeeds but seems to fail, the lease does not stay taken.
func TestTakingHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		if _, err := p.session.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		var deaf atomic.Bool
		p.set(func(op, key string) error {
			if deaf.Load() {
				return errDown
			}
			return nil
		}, func(op, key string) error {
			deaf.Store(true)
			return errAck
		})
		if _, _, err := p.session.Take(t.Context(), key, "", lease.State{}); !blob.Is(err, blob.Unavailable) {
			t.Errorf("%v, want Unavailable", err)
		}
		p.set(nil, nil)
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusHeld {
			t.Fatalf("the lease is %+v: the test tests nothing", state)
		}
		time.Sleep(9 * time.Second)
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusReleased || state.Outcome.Kind != runs.Cancelled {
			t.Errorf("the lease is %+v", state)
		}
	})
}

// A session does not release a lease that another session took meanwhile.
func TestDebtOfALeaseThatOthersTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		_, held := mustTake(t, p)
		p.kill()
		if err := held.Release(t.Context(), lease.Outcome{Kind: runs.Cancelled}); err == nil {
			t.Fatal("released without a store")
		}
		p.set(nil, nil)
		_, version := mustRead(t, p.store)
		ctx, again, err := p.session.Take(t.Context(), key, version, lease.State{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusHeld || ctx.Err() != nil {
			t.Errorf("the lease is %+v; %v", state, context.Cause(ctx))
		}
		again.Done()
	})
}

func TestParentEndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		parent, cancel := context.WithCancel(t.Context())
		ctx, held, err := p.session.Take(parent, key, "", lease.State{})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if ctx.Err() == nil {
			t.Error("the context outlives its parent")
		}
		if err := held.Release(t.Context(), lease.Outcome{Kind: runs.Cancelled}); err != nil {
			t.Error(err)
		}
	})
}

func TestNewID(t *testing.T) {
	a, b := lease.NewID(), lease.NewID()
	if a == b || len(a) != 26 || strings.ToLower(a) != a {
		t.Errorf("ids %q and %q", a, b)
	}
}

// releaseHalfway takes a lease whose release fails: the process owes it.
func releaseHalfway(t *testing.T, p *proc) (given lease.State, version blob.Version) {
	t.Helper()
	_, held := mustTake(t, p)
	given, _ = held.State(t.Context())
	p.kill()
	if err := held.Release(t.Context(), lease.Outcome{Kind: runs.Cancelled}); err == nil {
		t.Fatal("released without a store")
	}
	p.set(nil, nil)
	_, version = mustRead(t, p.store)
	return given, version
}

// If a process tries again under the same lease id, as a worker does, its lease
// is not released because of the try that failed halfway.
func TestTakingHalfwayAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		given, version := releaseHalfway(t, p)
		ctx, again, err := p.session.Take(t.Context(), key, version, given)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusHeld || ctx.Err() != nil {
			t.Errorf("the lease is %+v; %v", state, context.Cause(ctx))
		}
		again.Done()
	})
}

// Nor is it released if the try that failed is being made up for at that moment.
func TestTakingAgainWhileTheReleaseIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		given, version := releaseHalfway(t, p)
		looks, goOn := make(chan struct{}), make(chan struct{})
		hang := sync.OnceFunc(func() {
			close(looks)
			<-goOn
		})
		p.set(func(op, at string) error {
			if op == "get" && at == key {
				hang()
			}
			return nil
		}, nil)
		<-looks
		ctx, again, err := p.session.Take(t.Context(), key, version, given)
		if err != nil {
			t.Fatal(err)
		}
		close(goOn)
		time.Sleep(20 * time.Second)
		if state, _ := mustRead(t, p.store); state.Status != lease.StatusHeld || ctx.Err() != nil {
			t.Errorf("the lease is %+v; %v", state, context.Cause(ctx))
		}
		again.Done()
	})
}
