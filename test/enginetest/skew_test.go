//go:build linux || darwin

package enginetest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/groups"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// skewVariable makes a worker that differs from its caller, as another build would.
const skewVariable = "ENGINETEST_SKEW"

var (
	skewed     func(context.Context, mops.Option) (string, error)
	skewedPack func(context.Context, mops.Option) []error // of three calls
	skewCallee = mops.Define("enginetest/callee", func(context.Context, int) (int, error) { return 0, nil }, mops.Version(skewOf("callee", "2", "1")))
)

// skewOf is the value of what differs here.
func skewOf(what, there, here string) string {
	if os.Getenv(skewVariable) == what {
		return there
	}
	return here
}

func init() {
	const name = "enginetest/skewed"
	type in struct{ A int }
	type otherIn struct{ A, B int }
	type out struct{ A string }
	type otherOut struct{ A int }
	version, calls := mops.Version(skewOf("version", "2026-02", "2026-01")), mops.Calls(skewCallee)
	switch os.Getenv(skewVariable) {
	case "in":
		mops.Define(name, func(context.Context, otherIn) (out, error) { return out{}, nil }, version, calls)
	case "out":
		mops.Define(name, func(context.Context, in) (otherOut, error) { return otherOut{}, nil }, version, calls)
	case "declared":
		mops.Declare[in, out](name, version, calls)
	case "absent":
	default:
		f := mops.Define(name, func(_ context.Context, in in) (out, error) { return out{fmt.Sprint("computed of ", in.A)}, nil }, version, calls)
		skewed = func(ctx context.Context, option mops.Option) (string, error) {
			got, err := f.With(option).Call(ctx, in{7})
			return got.A, err
		}
		skewedPack = func(ctx context.Context, option mops.Option) (errs []error) {
			for r := range f.With(option).Each(ctx, slices.Values([]in{{1}, {2}, {3}})) {
				errs = append(errs, r.Err)
			}
			return errs
		}
	}
}

// A worker of another version of the program refuses, and the error shows both
// sides; it leaves nothing that would be in the way of a right one.
func TestVersionSkew(t *testing.T) {
	for _, c := range []struct {
		what string
		says []string
	}{
		{"version", []string{"version", "2026-01", "2026-02"}},
		{"in", []string{"type of the input", " against "}},
		{"out", []string{"type of the output", " against "}},
		{"callee", []string{"functions called", "enginetest/callee@1", "enginetest/callee@2"}},
		{"declared", []string{"enginetest/skewed", "Implement"}},
		{"absent", []string{"has no function enginetest/skewed"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			ctx := fileContext(t)
			_, err := skewed(ctx, mops.On(subprocess.New(subprocess.Env(skewVariable+"="+c.what))))
			if kindOf(err) != "exec VersionSkew" {
				t.Fatalf("got %v", err)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is missing in: %v", text, err)
				}
			}
			t.Log(err)
			if got, err := skewed(ctx, mops.On(subprocess.New())); err != nil || got != "computed of 7" {
				t.Errorf("the right worker: got %q, %v", got, err)
			}
		})
	}
}

// In a pack each call says so, and none is tried again by itself.
func TestVersionSkewInPack(t *testing.T) {
	t.Parallel()
	at := func(env ...string) mops.Option {
		return mops.On(&groups.Executor{Dir: t.TempDir(), Pack: executor.Packing{Work: time.Minute, Side: 4}, Env: env})
	}
	var logged syncbuf.Buffer
	ctx := fileContext(t, mops.LogTo(slog.New(slog.NewTextHandler(&logged, nil))))
	for _, err := range skewedPack(ctx, at(skewVariable+"=version")) {
		if kindOf(err) != "exec VersionSkew" || !strings.Contains(err.Error(), "2026-02") {
			t.Errorf("got %v", err)
		}
	}
	if strings.Contains(logged.String(), "tried again") {
		t.Errorf("%s", logged.String())
	}
	for _, err := range skewedPack(ctx, at()) {
		if err != nil {
			t.Errorf("the right workers: %v", err)
		}
	}
}

// Programs that are no workers at all.
func TestWorkerThatIsNone(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, path, kind, says string
	}{
		{"says nothing", script("exit 0"), "exec " + string(executor.NoResult), "exited with code 0"},
		{"claims a failure", script("exit 46"), "exec " + string(executor.NoResult), "exited with code 46"},
		{"fails", script("echo the last words; exit 3"), "exec " + string(executor.WorkerFailed), "the last words"},
		{"claims a lost lease", script("exit 47"), "exec " + string(executor.LeaseLost), "lost 3 times"},
		{"is killed", script("kill -9 $$"), "exec " + string(executor.Signalled), "SIGKILL"},
		{"is not there", "/nonexistent/program", "exec " + string(executor.LaunchFailed), "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := fileContext(t)
			_, err := skewed(ctx, mops.On(subprocess.New(subprocess.Command(c.path))))
			if kindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %s: %v", kindOf(err), err)
			}
			if got, err := skewed(ctx, mops.On(subprocess.New())); err != nil || got != "computed of 7" {
				t.Errorf("the right worker: got %q, %v", got, err)
			}
		})
	}
}
