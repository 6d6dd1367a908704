package mops_test

import (
	"context"
	"errors"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
)

// twoEnvironments share a root; waits gets a token when a call of the second has
// found a lease held, knows whose it is, and waits for it.
func twoEnvironments(t *testing.T) (one, two context.Context, waits <-chan struct{}) {
	t.Helper()
	root := stageRoot(t, func(blobtest.Op, string) error { return nil })
	_, one = newEnv(t, root)
	waiting := make(chan struct{}, 100)
	_, two = newEnv(t, root, mops.Observe(func(e mops.Event) {
		if e.Kind == mops.CallWaiting && e.Wait == mops.WaitLease {
			waiting <- struct{}{}
		}
	}))
	return one, two, waiting
}

func TestAWaiterElsewhereGetsTheFailureThatItWaitedFor(t *testing.T) {
	one, two, waits := twoEnvironments(t)
	in := private()
	mops.RegisterError[quota](in)
	begun, goOn, runs := make(chan struct{}), make(chan struct{}), 0
	f := mops.Define("f", func(context.Context, int) (int, error) {
		runs++
		close(begun)
		<-goOn
		return 0, quota{runs, 0}
	}, in)
	first, err := f.Start(one, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := f.Start(two, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-waits
	close(goOn)
	_, err = first.Wait(one)
	mine, ok := errors.AsType[*mops.FuncError](err)
	if !ok {
		t.Fatal(err)
	}
	_, err = second.Wait(two)
	theirs, ok := errors.AsType[*mops.FuncError](err)
	if !ok || theirs.Run != mine.Run || theirs.URI != mine.URI || runs != 1 {
		t.Errorf("%v, %d runs", err, runs)
	}
	if q, ok := errors.AsType[quota](err); !ok || q.Used != 1 {
		t.Errorf("%v", err)
	}
}

func TestAWaiterElsewhereTakesOverWhatWasCancelled(t *testing.T) {
	one, two, waits := twoEnvironments(t)
	f, begun, goOn, stopped := gated()
	first, err := f.Start(one, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := f.Start(two, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-waits
	first.Cancel()
	<-stopped
	<-begun // the other begins
	close(goOn)
	if out, err := second.Wait(two); err != nil || out != 1 || second.Info().Outcome != mops.Computed {
		t.Errorf("%d, %v, %+v", out, err, second.Info())
	}
}

func TestAWaiterElsewhereThatIsCancelledLeavesTheHolderAlone(t *testing.T) {
	one, two, waits := twoEnvironments(t)
	f, begun, goOn, stopped := gated()
	first, err := f.Start(one, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	second, err := f.Start(two, 1)
	if err != nil {
		t.Fatal(err)
	}
	<-waits
	second.Cancel()
	<-second.Done()
	close(goOn)
	if out, err := first.Wait(one); err != nil || out != 1 || len(stopped) != 0 {
		t.Errorf("%d, %v", out, err)
	}
}
