package mops_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// Identical calls share one flight, but not with calls whose options let them
// use or keep less.

func TestACallThatKeepsItsResultSharesNoneThatDoesNot(t *testing.T) {
	ctx, _ := onDisk(t)
	f, begun, goOn, _ := gated()
	reading, err := f.With(mops.ReadOnly()).Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	writing, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	close(goOn)
	must(reading.Wait(ctx))
	must(writing.Wait(ctx))
	if _, info, err := f.With(mops.RequireResults()).Do(ctx, 1); err != nil || info.Outcome != mops.Hit {
		t.Errorf("the result was not kept: %+v, %v", info, err)
	}
}

func TestRequireResultsDoesNotWaitForACall(t *testing.T) {
	ctx, _ := onDisk(t)
	f, begun, goOn, _ := gated()
	call, err := f.Start(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if _, err := f.With(mops.RequireResults()).Call(ctx, 1); !errors.Is(err, mops.ErrNoResult) {
		t.Errorf("while the call is computed: %v", err)
	}
	close(goOn)
	must(call.Wait(ctx))
}

func TestARefreshThatIsNotKeptIsNone(t *testing.T) {
	ctx, _ := onDisk(t)
	var value atomic.Int64
	f := mops.Define("f", func(context.Context, int) (int64, error) { return value.Add(1), nil }, private())
	must(f.Call(ctx, 1))
	trial := f.With(mops.Refresh(), mops.ReadOnly())
	for want := int64(2); want < 4; want++ {
		if out := must(trial.Call(ctx, 1)); out != want {
			t.Errorf("a refresh that keeps nothing: %d, want %d", out, want)
		}
	}
	if out := must(f.Call(ctx, 1)); out != 1 {
		t.Errorf("what is kept is %d, want 1", out)
	}
	if out := must(f.With(mops.Refresh()).Call(ctx, 1)); out != 4 {
		t.Errorf("a refresh after those: %d, want 4", out)
	}
}
