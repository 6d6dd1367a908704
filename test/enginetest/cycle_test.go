//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
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
				in := Visit{At: "a", To: c.to, On: on, Dir: t.TempDir()}
				began := time.Now()
				_, err := visit.With(mops.On(executors[on])).Call(fileContext(t), in)
				if err == nil || !errors.Is(err, mops.ErrCycle) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if found, err := (enginetest.Tally{Dir: in.Dir}).Count("cycle"); err != nil || len(found) != 1 {
					t.Errorf("%v found a cycle, %v", found, err)
				}
			})
		}
	}
}

// So does one of several that begin at the same time, each of which waits for the next.
func TestCycleOfCallsThatMeet(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: waits for a circle to be seen")
	}
	for _, c := range []struct {
		name    string
		on      string
		longest time.Duration
	}{
		{"in process", "in8", 5 * time.Second},
		{"in subprocesses", "sub", 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := Visit{To: map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}, On: c.on, Meet: true, Dir: t.TempDir()}
			ctx := fileContext(t)
			began := time.Now()
			var calls []*mops.Call[string]
			for at := range in.To {
				in.At = at
				call, err := visit.With(mops.On(executors[c.on])).Start(ctx, in)
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
			took := time.Since(began)
			t.Logf("found after %v", took)
			if took > c.longest {
				t.Errorf("it took %v", took)
			}
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
				if code := p.Wait(time.Minute); code != 1 || !strings.Contains(p.Stderr.String(), mops.ErrCycle.Error()) {
					t.Errorf("exit code %d, %q, %s", code, p.Stdout, p.Stderr)
				}
			}
			took := time.Since(began)
			t.Logf("found after %v", took)
			if took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
