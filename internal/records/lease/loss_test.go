package lease_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// An owner that was suspended, or that others could not see, finds out at its
// next renewal that it was declared dead, and starts over under another id.
func TestSuspendedOwnerFindsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		p, other := newProc(base), newProc(base, alive(vanished))
		defer mustClose(t, p)
		ctx, held := mustTake(t, p)
		id := p.session.ID()
		if !isDead(t, other, id) {
			t.Fatal("a session without a process lives")
		}
		if ctx.Err() != nil {
			t.Fatal("the owner cannot know yet")
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		mustLose(t, ctx)
		if p.session.ID() != "" {
			t.Error("a lost session has an id")
		}
		if state, _, err := lease.ReadSession(t.Context(), p.store, id); err != nil || state.State != lease.Dead || state.JudgedBy != "the judge" {
			t.Errorf("the session is %+v, %v; want dead", state, err)
		}
		next, err := p.session.Begin(t.Context())
		if err != nil || next == id {
			t.Errorf("the next session is %q, %v", next, err)
		}
		late, _ := p.session.Hold(t.Context(), key, "v", lease.State{ID: runs.ID{LeaseID: "l"}, Session: id, Orchestrator: id})
		mustLose(t, late)
		if err := held.Release(t.Context(), lease.Outcome{Kind: runs.Cancelled}); err != nil {
			t.Errorf("a lost lease that nobody took yet cannot be released: %v", err)
		}
	})
}

func TestSessionBlobGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		ctx, _ := mustTake(t, p)
		if err := p.store.Delete(t.Context(), lease.SessionPrefix+p.session.ID()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(8 * time.Second)
		synctest.Wait()
		mustLose(t, ctx)
	})
}

// A session blob that was damaged is mended, if nobody judged it meanwhile.
func TestSessionBlobDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		ctx, _ := mustTake(t, p)
		if _, err := p.store.PutBytes(t.Context(), lease.SessionPrefix+p.session.ID(), []byte("mops1 se"), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		if state, _, err := lease.ReadSession(t.Context(), p.store, p.session.ID()); err != nil || state.State != lease.Live {
			t.Errorf("the session is %+v, %v; want live", state, err)
		}
	})
}

// An outage of the store alone loses nothing. The owner gives up only when a
// judge saw that the session was not renewed, and said so.
func TestStoreOutOfReach(t *testing.T) {
	for _, judged := range []bool{false, true} {
		t.Run(fmt.Sprint("judged ", judged), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newStore()
				p, other := newProc(base), newProc(base)
				defer mustClose(t, p)
				ctx, _ := mustTake(t, p)
				id := p.session.ID()
				p.kill()
				for began := time.Now(); time.Since(began) < time.Hour; {
					time.Sleep(5 * time.Second)
					if judged {
						isDead(t, other, id)
					}
				}
				if ctx.Err() != nil {
					t.Fatalf("lost before the owner could know: %v", context.Cause(ctx))
				}
				p.set(nil, nil)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if judged {
					mustLose(t, ctx)
				} else if ctx.Err() != nil || isDead(t, other, id) {
					t.Fatalf("lost, though nobody declared it dead: %v", context.Cause(ctx))
				}
			})
		})
	}
}

// A store that hangs instead of failing, and ignores contexts, as a dead file
// server does, does not block the holder of a lease.
func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		ctx, _ := mustTake(t, p)
		answer := make(chan struct{})
		p.set(func(op, key string) error { <-answer; return errDown }, nil)
		time.Sleep(time.Hour)
		if ctx.Err() != nil {
			t.Error("lost, though nobody declared it dead")
		}
		p.set(nil, nil)
		close(answer)
		time.Sleep(10 * time.Second)
		if ctx.Err() != nil {
			t.Error("lost after the store is back")
		}
	})
}

// Lost acknowledgements are not a lost session: every second put is applied
// and reported as failed, for an hour.
func TestLostAcknowledgementsAreNotALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		p, other := newProc(base), newProc(base)
		defer mustClose(t, p)
		ctx, _ := mustTake(t, p)
		var puts atomic.Int64
		p.set(nil, func(op, _ string) error {
			if op == "put" && puts.Add(1)%2 == 1 {
				return errAck
			}
			return nil
		})
		for range 360 {
			time.Sleep(10 * time.Second)
			if isDead(t, other, p.session.ID()) || ctx.Err() != nil {
				t.Fatalf("lost: %v", context.Cause(ctx))
			}
		}
		if n := puts.Load(); n < 360 {
			t.Errorf("%d puts in an hour", n)
		}
	})
}

// If a newer mops wrote over the session's blob, the session is lost, and the
// blob stays.
func TestSessionBlobOfANewerFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		ctx, _ := mustTake(t, p)
		blobKey := lease.SessionPrefix + p.session.ID()
		data, _, err := p.store.ReadAll(t.Context(), blobKey, nil)
		if err != nil {
			t.Fatal(err)
		}
		data[4] = '2'
		info, err := p.store.PutBytes(t.Context(), blobKey, data, blob.PutOptions{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Second)
		mustLose(t, ctx)
		now, err := p.store.Stat(t.Context(), blobKey)
		if err != nil || now.Version != info.Version {
			t.Errorf("it was written over: %v, %v", now, err)
		}
		mustClose(t, p)
	})
}

func TestDeniedFailsAtOnce(t *testing.T) {
	p := newProc(newStore())
	p.set(func(op, _ string) error {
		if op == "put" {
			return &blob.Error{Kind: blob.Denied}
		}
		return nil
	}, nil)
	if _, err := p.session.Begin(t.Context()); !blob.Is(err, blob.Denied) {
		t.Errorf("%v, want Denied", err)
	}
	if _, _, err := p.session.Take(t.Context(), key, "", lease.State{}); !blob.Is(err, blob.Denied) || errors.Is(err, lease.ErrLost) {
		t.Errorf("%v, want Denied", err)
	}
	mustClose(t, p)
}
