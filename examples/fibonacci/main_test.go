package main

import (
	"os"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The test binary is its own worker.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

func TestFibonacci(t *testing.T) {
	ctx := mopstest.Context(t)
	f, info, err := Fibonacci.Do(ctx, 100)
	if err != nil || f.String() != "354224848179261915075" || info.Outcome != mops.Computed {
		t.Errorf("got %v, %s, %v", f, info.Outcome, err)
	}
	// All numbers on the way are there.
	f, info, err = Fibonacci.Do(ctx, 50)
	if err != nil || f.String() != "12586269025" || info.Outcome != mops.Hit {
		t.Errorf("got %v, %s, %v; want a hit", f, info.Outcome, err)
	}
}

// The calls that the worker makes run in it, and their results are there for all.
func TestFibonacciInASubprocess(t *testing.T) {
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()))
	f, err := Fibonacci.With(mops.On(subprocess.New())).Call(ctx, 10)
	if err != nil || f.String() != "55" {
		t.Errorf("got %v, %v", f, err)
	}
	f, info, err := Fibonacci.Do(ctx, 9)
	if err != nil || f.String() != "34" || info.Outcome != mops.Hit {
		t.Errorf("got %v, %s, %v; want a hit", f, info.Outcome, err)
	}
}
