package worker

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Whatever a function returns after its context has ended is ignored, result or
// error; nor is it a failure to keep it.
func TestNothingIsKeptAfterTheEndOfTheContext(t *testing.T) {
	lost := errors.New("the lease was lost")
	for name, returned := range map[string]error{"result": nil, "error": errors.New("half of the work")} {
		t.Run(name, func(t *testing.T) {
			store := blob.New("mem://test", memblob.New())
			ctx, cancel := context.WithCancelCause(t.Context())
			f, err := function.NewRegistry(function.Sources{}).Add("f", "0", "here", reflect.TypeFor[int](), reflect.TypeFor[int]())
			if err != nil {
				t.Fatal(err)
			}
			err = f.Implement(func(_ context.Context, in any) (any, error) {
				cancel(lost)
				return in, returned
			})
			if err = errors.Join(err, f.Prepare()); err != nil {
				t.Fatal(err)
			}
			n := 1
			input, err := f.EncodeIn(t.Context(), &n)
			if err != nil {
				t.Fatal(err)
			}
			place := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", f.Key(input)), Key: f.Key(input)}
			done := Task{Assignment: Assignment{ID: runs.ID{RunID: "run"}}, Function: f, Place: place, Input: input, Keep: true, Logger: slog.New(slog.DiscardHandler)}.Run(ctx)
			if !errors.Is(done.Err, lost) || done.Unkept != nil || done.Failed != nil {
				t.Errorf("%+v", done)
			}
			for info := range store.List(t.Context(), "", "") {
				t.Errorf("there is %s", info.Key)
			}
		})
	}
}

// If a put succeeds but seems to fail, its result is not taken for another
// run's.
func TestOwnResultIsNotLost(t *testing.T) {
	store := blobtest.Faulty(blob.New("mem://test", memblob.New()), blobtest.FaultPlan{After: func(op blobtest.Op, _ string) error {
		if op == blobtest.OpPut {
			return &driver.Error{Kind: driver.Exists}
		}
		return nil
	}})
	done := task(t, store).Run(t.Context())
	if done.Lost || done.Unkept != nil || done.Err != nil || done.Result.RunID != "run" || done.Run.Outcome != "ok" {
		t.Errorf("%+v", done)
	}
}

// A run is kept as patiently as its oldest waiter is old: if the run fails, so
// do its waiters.
func TestWhoWaitsIsAtStake(t *testing.T) {
	for atStake, kept := range map[time.Duration]bool{time.Hour: true, 0: false} {
		synctest.Test(t, func(t *testing.T) {
			back := time.Now().Add(10 * time.Minute)
			store := blob.Retry(blobtest.Faulty(blob.New("mem://test", memblob.New()), blobtest.FaultPlan{Before: func(blobtest.Op, string) error {
				if time.Now().Before(back) {
					return &driver.Error{Kind: driver.Unavailable}
				}
				return nil
			}}), blob.RetryPolicy{})
			task := task(t, store)
			task.AtStake = atStake
			done := task.Run(t.Context())
			if done.Err != nil || (done.Unkept == nil) != kept {
				t.Errorf("with %v at stake: %+v", atStake, done)
			}
		})
	}
}

// task is one of a function that returns its input, in a store.
func task(t *testing.T, store *blob.Store) Task {
	t.Helper()
	f, err := function.NewRegistry(function.Sources{}).Add("f", "0", "here", reflect.TypeFor[int](), reflect.TypeFor[int]())
	if err != nil {
		t.Fatal(err)
	}
	err = f.Implement(func(_ context.Context, in any) (any, error) { return in, nil })
	if err = errors.Join(err, f.Prepare()); err != nil {
		t.Fatal(err)
	}
	n := 1
	input, err := f.EncodeIn(t.Context(), &n)
	if err != nil {
		t.Fatal(err)
	}
	place := memo.Place{Store: store, Path: memokey.Path("p", "f", "0", f.Key(input)), Key: f.Key(input)}
	return Task{Assignment: Assignment{ID: runs.ID{RunID: "run"}}, Function: f, Place: place, Input: input, Keep: true, Logger: slog.New(slog.DiscardHandler)}
}
