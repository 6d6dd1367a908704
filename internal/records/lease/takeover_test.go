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
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// contend waits for a lease until it gets it, or until the context ends.
func contend(ctx context.Context, p *proc) (context.Context, *lease.Held, error) {
	for {
		pause := 100 * time.Millisecond
		state, version, err := lease.Read(ctx, p.store, key)
		free := err == nil && state.Status != lease.StatusHeld
		if errors.Is(err, lease.ErrDamaged) {
			free, state = true, lease.State{}
		}
		if err == nil && !free {
			var recheck time.Duration
			if free, recheck, err = p.judge.Dead(ctx, state.Session); err == nil {
				pause = recheck
			}
		}
		if free {
			held, lock, err := p.session.Take(ctx, key, version, lease.State{})
			if err == nil {
				return held, lock, nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
}

// The holder dies; of sixteen contenders one takes its place, soon.
func TestTakeover(t *testing.T) {
	for name, c := range map[string]struct {
		known  bool // the contenders see each other's processes
		within time.Duration
	}{
		"on the same host": {true, 2 * time.Second},
		"elsewhere":        {false, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newStore()
				holder := newProc(base, func(_ *wire, c *lease.Config, _ *lease.JudgeConfig) {
					c.Process = process.Identity{PID: 1, Host: "holder"}
				})
				ctx, _ := mustTake(t, holder)
				dead := holder.session.ID()
				var killed atomic.Bool
				look := func(identity string) (bool, bool) {
					return c.known && !(killed.Load() && strings.HasSuffix(identity, "/holder")), c.known
				}
				contest, cancel := context.WithCancel(t.Context())
				var contenders []*proc
				var winners atomic.Int32
				took := make(chan time.Time, 16)
				var wg sync.WaitGroup
				for range 16 {
					p := newProc(base, alive(look))
					contenders = append(contenders, p)
					wg.Go(func() {
						if _, _, err := contend(contest, p); err == nil {
							winners.Add(1)
							took <- time.Now()
						}
					})
				}
				time.Sleep(time.Minute + 3*time.Second)
				if winners.Load() != 0 || ctx.Err() != nil {
					t.Fatal("taken from a holder that lives")
				}
				killed.Store(true)
				holder.kill()
				began := time.Now()
				if after := (<-took).Sub(began); after > c.within {
					t.Errorf("taken over after %v, want %v", after, c.within)
				}
				time.Sleep(time.Minute)
				if n := winners.Load(); n != 1 {
					t.Errorf("%d winners", n)
				}
				if state, _ := mustRead(t, contenders[0].store); state.Session == dead || state.Status != lease.StatusHeld {
					t.Errorf("the lease is %+v", state)
				}
				cancel()
				wg.Wait()
				holder.set(nil, nil) // it was alive, after all, and sees the store again
				time.Sleep(10 * time.Second)
				mustLose(t, ctx)
				mustClose(t, append(contenders, holder)...)
			})
		})
	}
}

// A lease of 0 bytes, or any other damage, is taken at once and once.
func TestTakeoverOfADamagedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		var contenders []*proc
		for range 16 {
			contenders = append(contenders, newProc(base))
		}
		if _, err := contenders[0].store.PutBytes(t.Context(), key, nil, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		contest, cancel := context.WithCancel(t.Context())
		var winners atomic.Int32
		var wg sync.WaitGroup
		for _, p := range contenders {
			wg.Go(func() {
				if _, _, err := contend(contest, p); err == nil {
					winners.Add(1)
				}
			})
		}
		time.Sleep(time.Second)
		cancel()
		wg.Wait()
		if n := winners.Load(); n != 1 {
			t.Errorf("%d winners", n)
		}
		mustClose(t, contenders...)
	})
}

// The times in a lease are for people: a date an hour off, either way, does not
// stop anybody from waiting for a living holder, nor from succeeding a dead
// one.
func TestLeaseDatedWrongly(t *testing.T) {
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			base := newStore()
			holder, p := newProc(base), newProc(base)
			if _, _, err := holder.session.Take(t.Context(), key, "", lease.State{Since: time.Now().Add(off)}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, _, err := contend(ctx, p); err == nil {
				t.Fatal("taken from a holder that lives")
			}
			mustClose(t, holder)
			began := time.Now()
			if _, _, err := contend(t.Context(), p); err != nil || time.Since(began) > 5*time.Second {
				t.Errorf("taken after %v, %v", time.Since(began), err)
			}
			mustClose(t, p)
		})
	}
}

// Contenders over a store that fails every third operation, half of them
// after they were applied: at any moment at most one believes that it holds
// the lease, and everybody gets it in the end.
func TestContendersOverABadStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		var contenders []*proc
		var holders, turns atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			p := newProc(base)
			contenders = append(contenders, p)
			n := i
			count := func(failure error) func(op, key string) error {
				return func(op, key string) error {
					p.mu.Lock()
					defer p.mu.Unlock()
					if n++; n%6 == 0 {
						return failure
					}
					return nil
				}
			}
			p.set(count(errDown), count(errAck))
			wg.Go(func() {
				ctx, held, err := contend(t.Context(), p)
				if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two holders at a time")
				}
				select {
				case <-time.After(13 * time.Second):
				case <-ctx.Done():
					t.Errorf("lost: %v", context.Cause(ctx))
				}
				turns.Add(1)
				holders.Add(-1)
				held.Release(t.Context(), lease.Outcome{Kind: runs.Cancelled}) // the session makes up for failures
			})
		}
		wg.Wait()
		if n := turns.Load(); n != 8 {
			t.Errorf("%d turns", n)
		}
		mustClose(t, contenders...)
	})
}
