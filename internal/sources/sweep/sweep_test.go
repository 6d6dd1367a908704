package sweep

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

func newStore() (*blob.Store, *blobcount.Counter) {
	return blobcount.New(blob.New("mem://sweep", memblob.New()))
}

func TestOneTurnAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := newStore()
		var sweeping atomic.Int32
		for range 5 {
			go func() {
				_, end, err := Turn(t.Context(), store)
				if err != nil {
					t.Error(err)
					return
				}
				if n := sweeping.Add(1); n != 1 {
					t.Errorf("%d sweep at once", n)
				}
				time.Sleep(time.Second)
				sweeping.Add(-1)
				if err := end(); err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(time.Minute)
		if _, err := store.Stat(t.Context(), Key); !blob.Is(err, blob.NotFound) {
			t.Errorf("the mark was left behind: %v", err)
		}
	})
}

// A turn that nobody ends is over soon for its sweeper, and later for others.
func TestTurnEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := newStore()
		began := time.Now()
		turn, endLate, err := Turn(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		if err := Wait(t.Context(), store); err != nil {
			t.Error(err)
		}
		if turn.Err() == nil || time.Since(began) < surelyOver {
			t.Errorf("others went on after %v", time.Since(began))
		}
		began = time.Now() // by the store's clock it is over for long: nobody waits again
		if err := Wait(t.Context(), store); err != nil || time.Since(began) > time.Second {
			t.Errorf("waited for %v, %v", time.Since(began), err)
		}
		_, end, err := Turn(t.Context(), store)
		if err != nil || time.Since(began) > time.Second {
			t.Errorf("the next turn came after %v, %v", time.Since(began), err)
		}
		if err := endLate(); err != nil {
			t.Error(err)
		}
		if _, err := store.Stat(t.Context(), Key); err != nil {
			t.Errorf("one who came late ended another's turn: %v", err)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitWhereNobodySweeps(t *testing.T) {
	store, counter := newStore()
	if err := Wait(t.Context(), store); err != nil {
		t.Error(err)
	}
	if n := counter.Counts().Total(); n != 1 {
		t.Errorf("%d operations", n)
	}
}

func TestWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, _ := newStore()
		if _, _, err := Turn(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Wait(ctx, store); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
	})
}
