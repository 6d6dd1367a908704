package mopstest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/TrilliantHealth/mops-go"
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

// One test at the top of a module makes go test the gate: it fails if the code of
// a function changed and its version did not. This package defines no function
// outside its tests, so there is nothing to lock.
func TestLocked(t *testing.T) { mopstest.Locked(t) }
