package mopstest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

var Reverse = mops.Define("example/reverse", reverse)

func reverse(_ context.Context, text string) (string, error) {
	if text == "" {
		return "", errors.New("nothing to reverse")
	}
	letters := []rune(text)
	for i, j := 0, len(letters)-1; i < j; i, j = i+1, j-1 {
		letters[i], letters[j] = letters[j], letters[i]
	}
	return string(letters), nil
}

// Test the function itself as any other, without mops.
func TestReverse(t *testing.T) {
	if got, err := reverse(t.Context(), "straw"); got != "warts" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// Code that calls it through mops gets a store of its own, in memory, for the
// length of the test: no result from before an edit is found.
func TestReverseIsMemoized(t *testing.T) {
	ctx := mopstest.Context(t)
	for _, want := range []mops.Outcome{mops.Computed, mops.Hit} {
		got, info, err := Reverse.Do(ctx, "straw")
		if got != "warts" || info.Outcome != want || err != nil {
			t.Errorf("got %q, %v, %v; want it %v", got, info.Outcome, err, want)
		}
	}
}

// Training takes hours, and needs a GPU.
var Train = mops.Declare[int, string]("example/train")

func TestWithAStub(t *testing.T) {
	ctx := mopstest.Stub(mopstest.Context(t), Train, func(_ context.Context, days int) (string, error) {
		return fmt.Sprintf("a model of %d days", days), nil
	})
	if got, err := Train.Call(ctx, 30); got != "a model of 30 days" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWorkersThatDie(t *testing.T) {
	ctx := mopstest.Context(t, mops.Retries(2))
	ctx = mopstest.Fail(ctx, Reverse, executor.OOMKilled, 2)
	if got, err := Reverse.Call(ctx, "straw"); got != "warts" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAStoreThatFails(t *testing.T) {
	ctx := mopstest.Context(t)
	mend := mopstest.BreakStore(ctx, &driver.Error{Kind: driver.Denied})
	if _, err := Reverse.Call(ctx, "straw"); !blob.Is(err, blob.Denied) {
		t.Errorf("got %v", err)
	}
	mend()
	if got, err := Reverse.Call(ctx, "straw"); got != "warts" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// It fails if a change would leave all stored results behind.
func TestReverseKey(t *testing.T) {
	mopstest.Key(t, Reverse, "straw", "tent-sphere-earth.dd3473ced8c697555b94b8d41aaa11f7e69a62dc2a7487733bd26ae7b727f40d")
}

// One test at the top of a module makes go test the gate: it fails if the code of
// a function changed and its version did not. This package defines no function
// outside its tests, so there is nothing to lock.
func TestLocked(t *testing.T) { mopstest.Locked(t) }
