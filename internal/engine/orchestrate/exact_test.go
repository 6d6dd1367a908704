package orchestrate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Two versions of a type that have one fingerprint: results of the first are of no
// use where the second is wanted, and those of the second are of use to both.
type (
	narrow struct{ A int }
	wide   struct {
		A int
		B int `cbor:",omitzero"`
	}
)

// withOutput lets a program have the function with another type of output.
func withOutput[Out any](p *program, make func(a int) Out, number func(Out) int, version string, homes ...memokey.Home) *program {
	p.f = define(p.rig, function.NewRegistry(function.Sources{}), version, func(ctx context.Context, n int) (out Out, err error) {
		a, err := p.rig.do(ctx, n)
		return make(a), err
	}, homes...)
	p.decode = func(ctx context.Context, body []byte) (int, error) {
		var out Out
		err := p.f.DecodeOut(ctx, body, &out)
		return number(out), err
	}
	return p
}

func (r *rig) narrow(name string) *program {
	return withOutput(r.program(name, here()), func(a int) narrow { return narrow{a} }, func(n narrow) int { return n.A }, "0")
}

// wide's B is A once more.
func (r *rig) wide(name, version string, homes ...memokey.Home) *program {
	return withOutput(r.program(name, here()), func(a int) wide { return wide{a, a} }, func(w wide) int { return w.A + w.B - w.A }, version, homes...)
}

// A result that lacks a field of ours is left alone: the call is made under its
// exact key, however it is made.
func TestExactKey(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.counts()
		a, b, c := r.narrow("a"), r.wide("b", "0"), r.wide("c", "0")
		r.want(a.do(r.Context(), 1), 1, Computed)
		r.want(b.do(r.Context(), 1), 2, Computed)
		r.want(b.do(r.Context(), 1), 2, Hit)
		r.want(c.do(r.Context(), 1), 2, Hit)
		r.want(a.do(r.Context(), 1), 1, Hit)
		r.want(b.do(r.Context(), 1, refresh), 3, Computed)
		r.want(a.do(r.Context(), 1), 1, Hit)
		started, err := c.Start(r.Context(), c.call(1))
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := started.Wait(r.Context())
		r.want(c.ended(r.Context(), outcome, err), 3, Hit)

		r.want(b.do(r.Context(), 2), 1, Computed) // both can use this one
		r.want(a.do(r.Context(), 2), 1, Hit)

		r.want(a.do(r.Context(), 3), 1, Computed)
		if got := b.do(r.Context(), 3, requireResults); !errors.Is(got.err, ErrNoResult) || !strings.Contains(got.err.Error(), "without Out.B") {
			r.Errorf("a required result that lacks a field: %d, %v", got.out, got.err)
		}
	})
}

// A program waits for another's run, cannot use what that computed, and computes
// it under its exact key; who asks meanwhile, in this program or a third, gets that.
func TestExactKeyAfterWaiting(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.counts()
		a, b, c := r.narrow("a"), r.wide("b", "0"), r.wide("c", "0")
		first := a.begin(r.Context(), 1)
		time.Sleep(time.Second / 10)
		second, too := b.begin(r.Context(), 1), b.begin(r.Context(), 1)
		time.Sleep(1500 * time.Millisecond)
		third := c.begin(r.Context(), 1)
		r.want(<-first, 1, Computed)
		got, other := <-second, <-too
		if got.how != Computed {
			got, other = other, got
		}
		r.want(got, 2, Computed)
		r.want(other, 2, Awaited)
		r.want(<-third, 2, Awaited)
		r.wantRuns(1, 2)
	})
}

// Callers that share a call under its exact key come and go: the run is stopped
// when the last one leaves, as under the usual key.
func TestExactKeyIsGivenUp(t *testing.T) {
	inRoom(t, func(r *rig) {
		a, b := r.narrow("a"), r.wide("b", "0")
		r.want(a.do(r.Context(), 1), 2, Computed)
		stopped := make(chan struct{})
		r.do = func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			close(stopped)
			return 0, context.Cause(ctx)
		}
		one, leaves := context.WithCancel(r.Context())
		two, leavesToo := context.WithCancel(r.Context())
		first := b.begin(one, 1)
		second := b.begin(two, 1)
		time.Sleep(time.Second)
		leaves()
		if got := <-first; !errors.Is(got.err, context.Canceled) {
			r.Errorf("who left got %d, %v", got.out, got.err)
		}
		time.Sleep(time.Second)
		if isClosed(stopped) {
			r.Error("the run was stopped, though somebody wants it")
		}
		leavesToo()
		if got := <-second; !errors.Is(got.err, context.Canceled) {
			r.Errorf("the last who left got %d, %v", got.out, got.err)
		}
		<-stopped
		r.wantRuns(1, 2)
	})
}

// A function that calls itself under its exact key waits in a circle.
func TestExactKeyInACircle(t *testing.T) {
	inRoom(t, func(r *rig) {
		a, b := r.narrow("a"), r.wide("b", "0")
		r.want(a.do(r.Context(), 1), 2, Computed)
		r.do = func(ctx context.Context, n int) (int, error) {
			e := b.do(ctx, n)
			return e.out, e.err
		}
		if got := b.do(r.Context(), 1); got.err == nil || !strings.Contains(got.err.Error(), "waits for itself") {
			r.Errorf("it ended with %d, %v", got.out, got.err)
		}
	})
}

// At an old home, too, a result that lacks a field is left alone, and one under
// the exact key is found.
func TestExactKeyAtAnOldHome(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.counts()
		old := r.narrow("old")
		home := memokey.Home{Root: old.root, Pipeline: "p", Name: "room/f", Version: "0"}
		before, b := r.wide("before", "0"), r.wide("b", "1", home)
		r.want(old.do(r.Context(), 1), 1, Computed)
		r.want(b.do(r.Context(), 1), 2, Computed)
		r.want(old.do(r.Context(), 2), 1, Computed)
		r.want(before.do(r.Context(), 2), 2, Computed)
		r.want(b.do(r.Context(), 2), 2, Hit)
	})
}
