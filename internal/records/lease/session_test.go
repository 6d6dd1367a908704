package lease_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
)

func TestSessionIsWrittenOnceAndLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		if p.total() != 0 || p.session.ID() != "" {
			t.Fatal("a session that nobody needed did I/O")
		}
		var wg sync.WaitGroup
		ids := make([]string, 16)
		for i := range ids {
			wg.Go(func() {
				var err error
				if ids[i], err = p.session.Begin(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id == "" || id != p.session.ID() {
				t.Fatalf("session ids %q", ids)
			}
		}
		if n := p.total(); n != 1 {
			t.Errorf("%d operations to begin a session, want 1 put", n)
		}
	})
}

func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		id, err := p.session.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		nonces := make(map[string]bool)
		versions := make(map[blob.Version]bool)
		for range 10 {
			state, info, err := lease.ReadSession(t.Context(), p.store, id)
			if err != nil {
				t.Fatal(err)
			}
			if state.State != lease.Live || state.TTLSeconds != 24 || state.RenewSeconds != 8 || state.Process == "" {
				t.Fatalf("session %+v", state)
			}
			nonces[state.Nonce], versions[info.Version] = true, true
			time.Sleep(8 * time.Second)
			synctest.Wait()
		}
		if len(nonces) != 10 || len(versions) != 10 {
			t.Errorf("%d nonces and %d versions in 10 renewals: stores with ETags by content see no renewal", len(nonces), len(versions))
		}
		if n := p.count("put", true); n != 11 {
			t.Errorf("%d puts in 80 s, want 11", n)
		}
		if n := p.total() - p.count("put", true) - p.count("get", true); n != 0 {
			t.Errorf("%d other operations without any lease", n)
		}
	})
}

// Taking a lease is one put, the session's first put aside; a success is none.
func TestOperationCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		_, held := mustTake(t, p)
		if n := p.total(); n != 2 {
			t.Errorf("%d operations for the first lease, want 2", n)
		}
		held.Done()
		ctx, held, err := p.session.Take(t.Context(), "another/lease", "", lease.State{})
		if err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Error("the context of a lease has ended from the start")
		}
		held.Done()
		held.Done() // twice is fine
		if n := p.total(); n != 3 {
			t.Errorf("%d operations for two leases, want 3", n)
		}
		if ctx.Err() == nil || errors.Is(context.Cause(ctx), lease.ErrLost) {
			t.Errorf("after Done the context has %v", context.Cause(ctx))
		}
	})
}

func TestCloseEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		p, other := newProc(base), newProc(base)
		ctx, _ := mustTake(t, p)
		id := p.session.ID()
		if err := p.session.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, _, err := lease.ReadSession(t.Context(), p.store, id)
		if err != nil || state.State != lease.Ended {
			t.Errorf("the session is %q, %v; want ended", state.State, err)
		}
		if !errors.Is(context.Cause(ctx), lease.ErrClosed) {
			t.Errorf("what was held ended with %v, want ErrClosed", context.Cause(ctx))
		}
		if !isDead(t, other, id) {
			t.Error("a session that ended is not dead for others")
		}
		if _, err := p.session.Begin(t.Context()); !errors.Is(err, lease.ErrClosed) {
			t.Errorf("Begin after Close: %v, want ErrClosed", err)
		}
		if err := p.session.Close(t.Context()); err != nil {
			t.Errorf("closing twice: %v", err)
		}
	})
}

func TestCloseWithoutBegin(t *testing.T) {
	p := newProc(newStore())
	mustClose(t, p)
	if n := p.total(); n != 0 {
		t.Errorf("%d operations to close what never began", n)
	}
}

// Close returns when the renewing goroutine has ended, even if that hangs in a
// put, and then ends the session without knowing its version.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		id, err := p.session.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		inside, goOn := make(chan struct{}), make(chan struct{})
		hang := sync.OnceFunc(func() {
			close(inside)
			<-goOn
		})
		p.set(nil, func(op, key string) error { // applied, but the answer takes its time
			hang()
			return errAck
		})
		<-inside
		closed := make(chan error)
		go func() { closed <- p.session.Close(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("Close returned (%v) while a renewal was on its way", err)
		default:
		}
		p.set(nil, nil)
		close(goOn)
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		state, _, err := lease.ReadSession(t.Context(), p.store, id)
		if err != nil || state.State != lease.Ended {
			t.Errorf("the session is %q, %v; want ended", state.State, err)
		}
	})
}

// An acknowledgement may get lost at the very beginning and at the very end.
func TestLostAcknowledgementsAtTheEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		once := func() func(op, key string) error {
			failed := false
			return func(op, key string) error {
				if op == "put" && !failed {
					failed = true
					return errAck
				}
				return nil
			}
		}
		p.set(nil, once())
		if _, err := p.session.Begin(t.Context()); err == nil {
			t.Error("Begin without an acknowledgement succeeded") // and the stray blob just expires
		}
		id, err := p.session.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.set(nil, once())
		if err := p.session.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if state, _, err := lease.ReadSession(t.Context(), p.store, id); err != nil || state.State != lease.Ended {
			t.Errorf("the session is %q, %v; want ended", state.State, err)
		}
	})
}

func TestWaitsAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		p, other := newProc(base), newProc(base)
		defer mustClose(t, p)
		if _, err := p.session.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		done := p.session.Waits("a", "b")
		time.Sleep(9 * time.Second)
		waits, err := other.judge.Waits(t.Context(), p.session.ID())
		if err != nil || len(waits) != 1 || waits[0] != (lease.Wait{Call: "a", For: "b"}) {
			t.Errorf("waits %v, %v", waits, err)
		}
		done()
		done()
		time.Sleep(9 * time.Second)
		if waits, err := other.judge.Waits(t.Context(), p.session.ID()); err != nil || len(waits) != 0 {
			t.Errorf("waits that are over: %v, %v", waits, err)
		}
	})
}

// Something below tried the first put twice, and the first try had arrived.
func TestBeginRetriedBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		defer mustClose(t, p)
		p.set(nil, func(op, _ string) error {
			if op == "put" {
				return &blob.Error{Kind: blob.Exists}
			}
			return nil
		})
		id, err := p.session.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.set(nil, nil)
		time.Sleep(time.Minute)
		if p.session.ID() != id {
			t.Error("the session was lost")
		}
	})
}
