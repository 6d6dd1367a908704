package mops_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

type tracedKey struct{}

// The context that Trace makes reaches the function, and the store and the log are
// seen.
func TestInstrument(t *testing.T) {
	registry := mops.NewRegistry()
	asked := func(ctx context.Context) string { s, _ := ctx.Value(tracedKey{}).(string); return s }
	inner := mops.Define("test/instrument.inner", func(ctx context.Context, n int) (string, error) {
		mops.Logger(ctx).Info("inside")
		return asked(ctx), nil
	}, mops.In(registry))
	var (
		mu     sync.Mutex
		kinds  []mops.EventKind
		logged bytes.Buffer
		over   int
		closed int
		heard  int
	)
	env, err := mops.New(t.Context(), mops.Isolated(), mops.In(registry), mops.Root("file://"+t.TempDir()), mops.LogTo(slog.New(slog.DiscardHandler)),
		mops.Instrument(func(worker bool) mops.Instruments {
			if worker {
				t.Error("this is no worker")
			}
			return mops.Instruments{
				Observe: func(mops.Event) { mu.Lock(); heard++; mu.Unlock() },
				Trace: func(ctx context.Context, e mops.Event) context.Context {
					mu.Lock()
					kinds = append(kinds, e.Kind)
					mu.Unlock()
					return context.WithValue(ctx, tracedKey{}, asked(ctx)+"/"+string(e.Kind))
				},
				Over: func(s *blob.Store) *blob.Store { over++; return s },
				Log: func(next slog.Handler) slog.Handler {
					return slog.NewMultiHandler(next, tracedLines{slog.NewTextHandler(&logged, nil)})
				},
				Close: func(context.Context) { closed++ },
			}
		}),
		mops.Instrument(func(bool) mops.Instruments {
			return mops.Instruments{
				Trace: func(context.Context, mops.Event) context.Context { panic("an instrument's own") },
				Over:  func(*blob.Store) *blob.Store { panic("an instrument's own") },
				Close: func(context.Context) { panic("an instrument's own") },
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(env.Context(t.Context()), tracedKey{}, "caller")
	got, err := inner.Call(ctx, 1)
	if want := "caller/asked/started"; err != nil || got != want {
		t.Errorf("the function's context says %q, %v, want %q", got, err, want)
	}
	if _, err := inner.Call(ctx, 1); err != nil { // a hit
		t.Error(err)
	}
	env.Close()
	env.Close()
	if want := []mops.EventKind{mops.CallAsked, mops.AttemptStarted, mops.AttemptEnded, mops.CallEnded, mops.CallEnded}; !equal(kinds, want) {
		t.Errorf("events: %v, want %v", kinds, want)
	}
	if over != 1 || closed != 1 || heard != len(kinds) {
		t.Errorf("the store was seen %d times, the end %d times, and %d events were observed", over, closed, heard)
	}
	if text := logged.String(); !strings.Contains(text, "msg=inside") || !strings.Contains(text, "traced=caller/asked/started") {
		t.Errorf("what the function logged has no trace:\n%s", text)
	}
	if text := logged.String(); strings.Count(text, "an instrument of calls panicked") != 1 {
		t.Errorf("panics are said other than once:\n%s", text)
	}
}

func equal[T comparable](a, b []T) bool {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// tracedLines adds to a line what its context says.
type tracedLines struct{ slog.Handler }

func (h tracedLines) Handle(ctx context.Context, r slog.Record) error {
	if s, ok := ctx.Value(tracedKey{}).(string); ok {
		r.AddAttrs(slog.String("traced", s))
	}
	return h.Handler.Handle(ctx, r)
}

func (h tracedLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tracedLines{h.Handler.WithAttrs(attrs)}
}

func (h tracedLines) WithGroup(name string) slog.Handler {
	return tracedLines{h.Handler.WithGroup(name)}
}

// toldOf returns what its context says.
var toldOf = mops.Define("test/instrument.told", func(ctx context.Context, _ string) (string, error) {
	s, _ := ctx.Value(tracedKey{}).(string)
	return s, nil
})

func init() {
	programs["instrumented"] = func() {
		mops.Main(func(ctx context.Context) error {
			got, err := toldOf.With(mops.On(subprocess.New())).Call(ctx, "")
			fmt.Println("the function was told", got)
			return err
		}, mops.Progress("off"), mops.Instrument(func(worker bool) mops.Instruments {
			return mops.Instruments{
				Trace: func(ctx context.Context, e mops.Event) context.Context {
					if e.Kind == mops.AttemptStarted {
						ctx = context.WithValue(ctx, tracedKey{}, e.RunID)
					}
					return ctx
				},
				Carry: func(ctx context.Context) map[string]string {
					return map[string]string{"run": ctx.Value(tracedKey{}).(string)}
				},
				Begin: func(ctx context.Context, carried map[string]string, run mops.Run) (context.Context, func(error)) {
					same := carried["run"] == run.ID && run.Attempt == 1 && run.Function == "test/instrument.told@0"
					return context.WithValue(ctx, tracedKey{}, fmt.Sprint(same)), func(err error) {
						fmt.Fprintln(os.Stderr, "the worker has ended:", err)
					}
				},
				Close: func(context.Context) { fmt.Fprintln(os.Stderr, "closed; in a worker:", worker) },
			}
		}))
	}
}

// What Carry returns gets to Begin in the worker, which hears of the end, too.
func TestInstrumentOfAWorker(t *testing.T) {
	out, err := program(t, "instrumented").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"the function was told true", "the worker has ended: <nil>", "closed; in a worker: true", "closed; in a worker: false"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
}
