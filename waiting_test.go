package mops_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
)

// twoEnvironments share a root; leaseSeen gets a token whenever a lease is read.
func twoEnvironments(t *testing.T, options ...mops.EnvOption) (one, two context.Context, leaseSeen chan struct{}) {
	t.Helper()
	leaseSeen = make(chan struct{}, 1000)
	options = append(options, stageRoot(t, func(op blobtest.Op, key string) error {
		if op == blobtest.OpGet && strings.HasSuffix(key, "/lease") {
			leaseSeen <- struct{}{}
		}
		return nil
	}))
	_, one = newEnv(t, options...)
	_, two = newEnv(t, options...)
	return one, two, leaseSeen
}

// waits returns when somebody else has found the lease held, and waits for it: the
// put that lost the race has read it, one look has, and so another one begins.
func waits(leaseSeen <-chan struct{}) {
	for range 3 {
		<-leaseSeen
	}
}

func TestAWaiterElsewhereGetsTheFailureThatItWaitedFor(t *testing.T) {
	one, two, leaseSeen := twoEnvironments(t)
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
	waits(leaseSeen)
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
	one, two, leaseSeen := twoEnvironments(t)
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
	waits(leaseSeen)
	first.Cancel()
	<-stopped
	<-begun // the other begins
	close(goOn)
	if out, err := second.Wait(two); err != nil || out != 1 || second.Info().Outcome != mops.Computed {
		t.Errorf("%d, %v, %+v", out, err, second.Info())
	}
}

func TestAWaiterElsewhereThatIsCancelledLeavesTheHolderAlone(t *testing.T) {
	one, two, leaseSeen := twoEnvironments(t)
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
	<-leaseSeen
	second.Cancel()
	<-second.Done()
	close(goOn)
	if out, err := first.Wait(one); err != nil || out != 1 || len(stopped) != 0 {
		t.Errorf("%d, %v", out, err)
	}
}
