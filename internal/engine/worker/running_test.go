package worker

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

// waitsForItsSlot makes a function that has waited, and takes its slot again, which
// another has now; the channel gets the error of that.
func waitsForItsSlot(t *testing.T) (pool slots.Pool, f *Running, waited chan error) {
	t.Helper()
	pool = slots.Local(1)
	if err := pool.Acquire(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	f = &Running{slot: Slot{Pool: pool, Holder: "f"}}
	waited = make(chan error, 1)
	go func() {
		waited <- f.Wait(t.Context(), func() error { return pool.Acquire(t.Context(), "another") })
	}()
	synctest.Wait()
	return pool, f, waited
}

// If one goroutine of a function waits for a slot, its other goroutines can
// still wait, and give up.
func TestWaitsOfOneFunctionAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool, f, first := waitsForItsSlot(t)

		ctx, cancel := context.WithCancel(t.Context())
		second := make(chan error, 1)
		go func() {
			second <- f.Wait(ctx, func() error { <-ctx.Done(); return ctx.Err() })
		}()
		synctest.Wait()
		select {
		case err := <-first: // it needs no slot as long as the function waits
			if err != nil {
				t.Error(err)
			}
		default:
			t.Error("the first goroutine waits for a slot, though the function waits for another call")
		}
		cancel()
		synctest.Wait()
		select {
		case err := <-second:
			if err != context.Canceled {
				t.Error(err)
			}
		default:
			t.Error("the second goroutine does not give up")
		}
		pool.Release("another")
		if err := pool.Acquire(t.Context(), "next"); err != nil { // the slot is free: nobody holds it for f
			t.Error(err)
		}
	})
}

// What a goroutine of a function waited for is there, though the function has ended
// before it had a slot again.
func TestAWaitThatOutlivesItsFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, f, waited := waitsForItsSlot(t)
		f.slot.Release()
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
}
