//go:build unix

package mops_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The kind: an error of others need not be a finite tree, its methods may
// panic, and its text may be of any length. Wherever such an error comes in,
// the call ends with it, at once, and the caller may use package errors on it.

type chained struct {
	text  string
	cause error
}

func (c *chained) Error() string { return c.text }
func (c *chained) Unwrap() error { return c.cause }

type fan struct{ causes []error }

func (f *fan) Error() string   { return "fan of errors" }
func (f *fan) Unwrap() []error { return f.causes }

type sulking struct{}

func (sulking) Error() string   { return "sulking" }
func (sulking) Is(error) bool   { panic("is nothing") }
func (sulking) As(any) bool     { panic("as nothing") }
func (sulking) Unwrap() []error { panic("wraps nothing") }

type mute struct{}

func (mute) Error() string { panic("no words") }

// selfish comes back from the record as itself, and wraps itself.
type selfish struct{ N int }

func (s selfish) Error() string { return fmt.Sprint("selfish ", s.N) }
func (s selfish) Unwrap() error { return s }

func init() { mops.RegisterError[selfish]() }

// wildErrors are errors by their fault, all with a *missing in them, and the
// text to read of each.
var wildErrors = map[string]struct {
	make func() error
	says string
}{
	"leads back to itself": {func() error {
		a, b := &chained{text: "connection lost"}, &chained{text: "retry failed"}
		a.cause, b.cause = errors.Join(b, &missing{"a.csv"}), a
		return b
	}, "retry failed"},
	"many ways to few": {func() error {
		var err error = &missing{"a.csv"}
		for range 60 {
			err = &fan{[]error{err, err}}
		}
		return err
	}, "fan of errors"},
	"methods that panic": {func() error { return errors.Join(&missing{"a.csv"}, sulking{}) }, "a.csv is missing\nsulking"},
	"no text":            {func() error { return errors.Join(&missing{"a.csv"}, mute{}) }, "no words"},
	"huge":               {func() error { return fmt.Errorf("%s%w", strings.Repeat("far too much ", 1<<20), &missing{"a.csv"}) }, "bytes are left out"},
}

var wildly = mops.Define("test/wildly", func(_ context.Context, how string) (int, error) { return 0, wildErrors[how].make() })

var wildlyBelow = mops.Define("test/wildly-below", func(ctx context.Context, how string) (int, error) {
	_, err := wildly.Call(ctx, how)
	return 0, &fan{[]error{err, err}}
}, mops.Calls(wildly))

var selfishly = mops.Define("test/selfishly", func(context.Context, int) (int, error) { return 0, selfish{7} })

func TestAFunctionsErrorMayBeOfAnyShape(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		for how, wild := range wildErrors {
			_, err := wildly.Call(ctx, how)
			e, ok := errors.AsType[*mops.FuncError](err)
			if !ok || !strings.Contains(e.Message, wild.says) || len(e.Message) > 1<<20 || len(e.Types) > 32 {
				t.Errorf("%s: %.300v", how, err)
			}
			if m, ok := errors.AsType[*missing](err); !ok || m.Path != "a.csv" {
				t.Errorf("%s: the registered error in it is lost: %.300v", how, err)
			}
			if errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: it is what it is not", how)
			}
			if _, err := wildlyBelow.Call(ctx, how); err == nil {
				t.Errorf("%s: no error from above it", how)
			} else if m, ok := errors.AsType[*missing](err); !ok || m.Path != "a.csv" {
				t.Errorf("%s: what was below is lost: %.300v", how, err)
			}
		}
		_, err := selfishly.Call(ctx, 1)
		if s, ok := errors.AsType[selfish](err); !ok || s.N != 7 || errors.Is(err, fs.ErrClosed) {
			t.Errorf("selfish: %v", err)
		}
	})
}

func TestTheCauseOfAContextMayBeOfAnyShape(t *testing.T) {
	for how, wild := range wildErrors {
		ctx, cancel := context.WithCancelCause(mopstest.Context(t))
		f, begun, _, _ := gated()
		call, err := f.Start(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		cancel(wild.make())
		for _, do := range []func() error{
			func() error { _, err := call.Wait(context.WithoutCancel(ctx)); return err },
			func() error { _, err := f.Call(ctx, 2); return err },
			func() error { _, err := f.All(ctx, []int{1, 2}); return err },
		} {
			err := do()
			if _, ok := errors.AsType[*missing](err); !ok || errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %.300v", how, err)
			}
		}
	}
}

// A caller finds the errors of mops itself in a function's error, wherever the
// function ran.
func TestSentinelsAreFoundInWhatAFunctionReturned(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context, _ string) {
		_, err := onceMore.Call(ctx, 1)
		if _, ok := errors.AsType[*mops.FuncError](err); !ok || !errors.Is(err, mops.ErrCycle) || errors.Is(err, mops.ErrNoResult) {
			t.Errorf("%v", err)
		}
		if _, err := unresulting.Call(ctx, 1); !errors.Is(err, mops.ErrNoResult) || errors.Is(err, mops.ErrCycle) {
			t.Errorf("%v", err)
		}
	})
}

var onceMore = mops.Declare[int, int]("test/again")

func init() {
	onceMore.Implement(func(ctx context.Context, n int) (int, error) {
		if _, err := onceMore.Call(ctx, n); err != nil {
			return 0, fmt.Errorf("once more: %w", err)
		}
		return n, nil
	})
}

var unresulting = mops.Define("test/unresulting", func(ctx context.Context, n int) (int, error) {
	return programDouble.With(mops.RequireResults()).Call(ctx, n)
})
