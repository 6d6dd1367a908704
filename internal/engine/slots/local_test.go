package slots_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

// recursion calls itself depth times, pausing as a function does that calls.
func recursion(ctx context.Context, pool slots.Pool, depth int, running *atomic.Int32, limit int32) error {
	name := "level " + strconv.Itoa(depth)
	if err := pool.Acquire(ctx, name); err != nil {
		return err
	}
	defer pool.Release(name)
	if n := running.Add(1); n > limit {
		return fmt.Errorf("%d run side by side on %d slots", n, limit)
	}
	defer running.Add(-1)
	if depth == 0 {
		return nil
	}
	running.Add(-1)
	pool.Pause(name)
	err := recursion(ctx, pool, depth-1, running, limit)
	if err := pool.Resume(ctx, name); err != nil {
		return err
	}
	running.Add(1)
	return err
}

func TestRecursionOnTwoSlots(t *testing.T) {
	var running atomic.Int32
	if err := recursion(t.Context(), slots.Local(2), 1000, &running, 2); err != nil {
		t.Fatal(err)
	}
}

func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := slots.Local(1)
		ctx := t.Context()
		must(t, pool.Acquire(ctx, "paused"))
		pool.Pause("paused")
		must(t, pool.Acquire(ctx, "first"))

		var order []string
		var all sync.WaitGroup
		for i := range 5 {
			name := strconv.Itoa(i)
			all.Go(func() {
				must(t, pool.Acquire(ctx, name))
				order = append(order, name) // in turn: there is one slot
				pool.Release(name)
			})
			synctest.Wait()
		}
		all.Go(func() {
			must(t, pool.Resume(ctx, "paused"))
			order = append(order, "paused")
			pool.Release("paused")
		})
		synctest.Wait()
		if len(order) != 0 {
			t.Fatalf("%v ran beside the only slot's holder", order)
		}
		pool.Release("first")
		all.Wait()
		if want := []string{"paused", "0", "1", "2", "3", "4"}; !slices.Equal(order, want) {
			t.Errorf("the order was %v, want %v", order, want)
		}
	})
}

func TestCancelWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := slots.Local(1)
		must(t, pool.Acquire(t.Context(), "a"))
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		go func() { failed <- pool.Acquire(ctx, "b") }()
		synctest.Wait()
		got := make(chan error, 1)
		go func() { got <- pool.Acquire(t.Context(), "c") }()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire, cancelled: %v", err)
		}
		pool.Release("b") // has nothing
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("two hold one slot (%v)", err)
		default:
		}
		pool.Release("a")
		must(t, <-got)
		pool.Release("c")
		must(t, pool.Acquire(t.Context(), "b")) // the cancelled one may come again
		if err := pool.Acquire(ctx, "d"); !errors.Is(err, context.Canceled) {
			t.Errorf("Acquire with a cancelled context: %v", err)
		}
	})
}

// TestCancelledResume: who could not resume runs on without a slot, and owes none.
func TestCancelledResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := slots.Local(1)
		must(t, pool.Acquire(t.Context(), "a"))
		pool.Pause("a")
		must(t, pool.Acquire(t.Context(), "b"))
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() { failed <- pool.Resume(ctx, "a") }()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("Resume, cancelled: %v", err)
		}
		pool.Release("b")
		must(t, pool.Acquire(t.Context(), "c"))
		pool.Release("a")
		pool.Release("a")
		free(t, pool, 0)
		pool.Release("c")
		free(t, pool, 1)
	})
}

// TestPausedTwice: of two calls side by side one returns; while the function
// still waits for the other it needs no slot, or that one could not run.
func TestPausedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		pool := slots.Local(1)
		must(t, pool.Acquire(ctx, "a"))
		pool.Pause("a")
		pool.Pause("a")
		must(t, pool.Resume(ctx, "a"))
		free(t, pool, 1)
		must(t, pool.Resume(ctx, "a"))
		free(t, pool, 0)
		must(t, pool.Resume(ctx, "a")) // one too many

		// A pause of one goroutine ends the other's wait for a slot.
		pool.Pause("a")
		must(t, pool.Acquire(ctx, "b"))
		resumed := make(chan error, 1)
		go func() { resumed <- pool.Resume(ctx, "a") }()
		synctest.Wait()
		pool.Pause("a")
		must(t, <-resumed)
		pool.Release("b")
		free(t, pool, 1)
		must(t, pool.Resume(ctx, "a"))
		free(t, pool, 0)
		pool.Release("a")
		free(t, pool, 1)
	})
}

func TestReleaseWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := slots.Local(1)
		must(t, pool.Acquire(t.Context(), "a"))
		got := make(chan error, 2)
		go func() { got <- pool.Acquire(t.Context(), "b") }()
		synctest.Wait()
		pool.Release("b")
		if err := <-got; !errors.Is(err, slots.ErrReleased) {
			t.Errorf("Acquire of a holder that was released: %v", err)
		}
		pool.Pause("a")
		must(t, pool.Acquire(t.Context(), "c"))
		go func() { got <- pool.Resume(t.Context(), "a") }()
		synctest.Wait()
		pool.Release("a")
		if err := <-got; !errors.Is(err, slots.ErrReleased) {
			t.Errorf("Resume of a holder that was released: %v", err)
		}
		pool.Release("c")
		free(t, pool, 1)
	})
}

// TestUnknownHolder: a function that outlives its release takes no slot with it.
func TestUnknownHolder(t *testing.T) {
	pool := slots.Local(1)
	must(t, pool.Acquire(t.Context(), "a"))
	if err := pool.Acquire(t.Context(), "a"); !errors.Is(err, slots.ErrHeld) {
		t.Errorf("a second Acquire: %v", err)
	}
	pool.Pause("a")
	if err := pool.Acquire(t.Context(), "a"); !errors.Is(err, slots.ErrHeld) {
		t.Errorf("Acquire of a paused holder: %v", err)
	}
	pool.Release("a")
	must(t, pool.Resume(t.Context(), "a"))
	free(t, pool, 1)
	pool.Pause("a")
	must(t, pool.Resume(t.Context(), "a"))
	pool.Release("a")
	free(t, pool, 1)
}

func TestUnlimited(t *testing.T) {
	pool := slots.Local(0)
	for i := range 100 {
		must(t, pool.Acquire(t.Context(), strconv.Itoa(i%2)))
	}
	pool.Pause("0")
	must(t, pool.Resume(t.Context(), "0"))
	pool.Release("0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pool.Acquire(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire with a cancelled context: %v", err)
	}
}

func TestPools(t *testing.T) {
	var pools slots.Pools
	a, b := pools.Pool("a", 1), pools.Pool("b", 2)
	free(t, a, 1)
	free(t, b, 2)
	if pools.Pool("a", 7) != a {
		t.Error("the same name, another pool")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// free checks that the pool has exactly n slots to give.
func free(t *testing.T, pool slots.Pool, n int) {
	t.Helper()
	var taken []string
	for len(taken) <= n {
		patience := 30 * time.Second
		if len(taken) == n {
			patience = 20 * time.Millisecond // no event tells that none comes
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		// Never the same name: a connection's end may be seen a little later.
		name := fmt.Sprint("probe ", probes.Add(1))
		err := pool.Acquire(ctx, name)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			break
		}
		taken = append(taken, name)
	}
	for _, name := range taken {
		pool.Release(name)
	}
	if len(taken) != n {
		t.Errorf("%d slots are free, want %d", len(taken), n)
	}
}

var probes atomic.Int64
