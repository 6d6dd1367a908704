package mops_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// forced makes a call of a function whose own options name another pipeline and
// executor, and says in which pipeline it was, and in which processes it and a call
// that its function makes ran.
func forced(t *testing.T, options ...mops.EnvOption) (pipeline string, here, nestedHere bool) {
	t.Helper()
	env, err := mops.New(t.Context(), append([]mops.EnvOption{mops.Isolated(), mops.Root("file://" + t.TempDir())}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	pid, info, err := outerPID.With(mops.Pipeline("with")).Do(mops.WithOptions(env.Context(t.Context()), mops.Pipeline("context")), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, path, _ := strings.Cut(info.URI, "/mops1/")
	pipeline, _, _ = strings.Cut(path, "/")
	return pipeline, pid.Outer == os.Getpid(), pid.Inner == pid.Outer
}

func TestForce(t *testing.T) {
	for _, test := range []struct {
		name               string
		options            []mops.EnvOption
		pipeline           string
		here, nestedInside bool
	}{
		{"nothing", nil, "with", false, false},
		{"in process", []mops.EnvOption{mops.Force(mops.InProcess())}, "with", true, true},
		{"a pipeline", []mops.EnvOption{mops.Force(mops.Pipeline("forced"))}, "forced", false, false},
		{"an executor", []mops.EnvOption{mops.Force(mops.On(subprocess.New()))}, "with", false, true},
		{"the last wins", []mops.EnvOption{mops.Force(mops.InProcess()), mops.Force(mops.On(subprocess.New()))}, "with", false, true},
		{"no force", []mops.EnvOption{mops.On(inproc.New()), mops.Pipeline("plain")}, "with", false, false},
	} {
		pipeline, here, nested := forced(t, test.options...)
		if pipeline != test.pipeline || here != test.here || nested != test.nestedInside {
			t.Errorf("%s: pipeline %s, here %v, the nested call where its caller is: %v", test.name, pipeline, here, nested)
		}
	}
}

// A nested call heeds what its caller's environment forces, in the worker, too.
func TestForceInWorkers(t *testing.T) {
	root := "file://" + t.TempDir()
	env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(root), mops.Force(mops.Pipeline("forced"), mops.On(subprocess.New())))
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	uri, err := nestedURI.Call(env.Context(t.Context()), 1)
	if err != nil || !strings.HasPrefix(uri, root+"/mops1/forced/") {
		t.Errorf("%s, %v", uri, err)
	}
}

type pids struct{ Outer, Inner int }

var (
	innerPID = mops.Define("force/inner", func(context.Context, string) (int, error) { return os.Getpid(), nil }, mops.On(subprocess.New()))
	outerPID = mops.Define("force/outer", func(ctx context.Context, in string) (pids, error) {
		inner, err := innerPID.Call(ctx, in)
		return pids{os.Getpid(), inner}, err
	}, mops.On(subprocess.New()), mops.Pipeline("defined"), mops.Calls(innerPID))
	nestedURI = mops.Define("force/nested", func(ctx context.Context, n int) (string, error) {
		_, info, err := innerPID.With(mops.Pipeline("with")).Do(ctx, "x")
		return info.URI, err
	}, mops.Calls(innerPID))
)
