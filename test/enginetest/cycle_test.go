//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Visit is the input of a function that calls itself for the places to which
// its place leads.
type Visit struct {
	At   string
	To   map[string][]string
	On   string // executor of the calls below
	Meet bool   // wait until all places of To are visited
	Dir  string // of the tally
}

var visit = mops.Declare[Visit, string]("enginetest/visit")

func init() {
	visit.Implement(func(ctx context.Context, in Visit) (string, error) {
		tally := enginetest.Tally{Dir: in.Dir}
		tally.Note("start", in.At)
		for in.Meet {
			if started, err := tally.Count("start"); err != nil || len(started) == len(in.To) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		said := in.At
		for _, to := range in.To[in.At] {
			next := in
			next.At = to
			text, err := visit.With(mops.On(executors[in.On])).Call(ctx, next)
			if _, below := errors.AsType[*mops.FuncError](err); errors.Is(err, mops.ErrCycle) && !below {
				tally.Note("cycle", in.At)
			}
			if err != nil {
				return "", err
			}
			said += " " + text
		}
		return said, nil
	})
	programs["visit"] = func(ctx context.Context) error {
		var in Visit
		if err := enginetest.Arguments(&in); err != nil {
			return err
		}
		text, err := visit.With(mops.On(executors[in.On])).Call(ctx, in)
		fmt.Println(text)
		return err
	}
}

// A call that would wait for itself fails at once, in this process and through others.
func TestCycle(t *testing.T) {
	for _, on := range []string{"", "in1", "sub", "sub1"} {
		for _, c := range []struct {
			name string
			to   map[string][]string
		}{
			{"itself", map[string][]string{"a": {"a"}}},
			{"through another", map[string][]string{"a": {"b"}, "b": {"a"}}},
			{"through three", map[string][]string{"a": {"b"}, "b": {"c", "d"}, "d": {"a"}}},
		} {
			t.Run(on+" "+c.name, func(t *testing.T) {
				t.Parallel()
				inTime(t, on, 0, func(t *testing.T, ctx context.Context, dir string) {
					in := Visit{At: "a", To: c.to, On: on, Dir: dir}
					_, err := visit.With(mops.On(executors[on])).Call(ctx, in)
					if err == nil || !errors.Is(err, mops.ErrCycle) {
						t.Errorf("got %v", err)
					}
					if found, err := (enginetest.Tally{Dir: in.Dir}).Count("cycle"); err != nil || len(found) != 1 {
						t.Errorf("%v found a cycle, %v", found, err)
					}
				})
			})
		}
	}
}

// inTime does something that is to take no longer: in made-up time, unless there are
// subprocesses, which may take their time.
func inTime(t *testing.T, on string, longest time.Duration, do func(t *testing.T, ctx context.Context, dir string)) {
	t.Helper()
	dir, root, cache := t.TempDir(), t.TempDir(), t.TempDir()
	timed := func(t *testing.T) {
		env, err := mops.New(t.Context(), mops.Isolated(), mops.Root("file://"+root), mops.CacheDir(cache))
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := env.Close(); err != nil {
				t.Error(err)
			}
		}()
		began := time.Now()
		do(t, env.Context(t.Context()), dir)
		took := time.Since(began)
		t.Logf("it took %v", took)
		if took > longest {
			t.Errorf("it took %v, more than %v", took, longest)
		}
	}
	if strings.HasPrefix(on, "sub") {
		longest = 2 * time.Minute
		timed(t)
		return
	}
	synctest.Test(t, timed)
}

// So does one of several that begin at the same time, each of which waits for the next.
func TestCycleOfCallsThatMeet(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for a circle to be seen")
	}
	for _, on := range []string{"in8", "sub"} {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			inTime(t, on, time.Second, func(t *testing.T, ctx context.Context, dir string) {
				in := Visit{To: map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}, On: on, Meet: true, Dir: dir}
				var calls []*mops.Call[string]
				for at := range in.To {
					in.At = at
					call, err := visit.With(mops.On(executors[on])).Start(ctx, in)
					if err != nil {
						t.Fatal(err)
					}
					calls = append(calls, call)
				}
				for _, call := range calls {
					if _, err := call.Wait(ctx); err == nil || !errors.Is(err, mops.ErrCycle) {
						t.Errorf("got %v", err)
					}
				}
			})
		})
	}
}

// And one of calls that are made by several programs, which see each other in the store only.
func TestCycleAcrossPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for a circle to be seen")
	}
	for _, on := range []string{"", "sub"} {
		t.Run("on "+on, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			in := Visit{To: map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}, On: on, Meet: true, Dir: place}
			began := time.Now()
			var all []*enginetest.Program
			for at := range in.To {
				in.At = at
				all = append(all, enginetest.Start(t, place, "visit", in, rootVariable("file", place)))
			}
			for _, p := range all {
				if code := p.Wait(patience); code != 1 || !strings.Contains(p.Stderr.String(), mops.ErrCycle.Error()) {
					t.Errorf("exit code %d, %q, %s", code, p.Stdout, p.Stderr)
				}
			}
			t.Logf("found after %v", time.Since(began))
		})
	}
}
