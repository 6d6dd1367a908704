package mops_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
)

// On a store that is a service, the number of operations is the cost of a call:
// a hit is one read, and a cold call in process a read and three writes, and one more
// if it logs, beside the session's one for the whole process.
func TestOperationsOfACall(t *testing.T) {
	var mu sync.Mutex
	var made []string
	begun := false
	root := stageRoot(t, func(op blobtest.Op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		what := path.Base(key)
		if strings.HasPrefix(key, "mops1-sessions/") {
			if begun { // renewals come by the time, however many calls there are
				return nil
			}
			what, begun = "session", true
		}
		made = append(made, string(op)+" "+what)
		return nil
	})
	_, ctx := newEnv(t, root, mops.KeepRun(false))
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		if logger := mops.Logger(ctx); n == 3 {
			logger.Info("three")
		}
		return n, nil
	}, private())
	for _, step := range []struct {
		name  string
		input int
		want  []string
	}{
		{"first call", 1, []string{"get result", "put session", "put lease", "put invocation", "put result"}},
		{"cold call", 2, []string{"get result", "put lease", "put invocation", "put result"}},
		{"hit", 1, []string{"get result"}},
		{"cold call that logs", 3, []string{"get result", "put 000001", "put invocation", "put lease", "put result"}}, // log and result side by side
	} {
		mu.Lock()
		made = nil
		mu.Unlock()
		must(f.Call(ctx, step.input))
		mu.Lock()
		if step.input == 3 {
			slices.Sort(made)
		}
		if !slices.Equal(made, step.want) {
			t.Errorf("%s: %q, want %q", step.name, made, step.want)
		}
		mu.Unlock()
	}
}

// A thousand calls with one file and one folder store them once, and ask for them
// a few times.
func TestOperationsForFiles(t *testing.T) {
	var mu sync.Mutex
	made := map[string]int{}
	root := stageRoot(t, func(op blobtest.Op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(key, "mops1-blobs/") {
			made[string(op)]++
		}
		return nil
	})
	_, ctx := newEnv(t, root, mops.KeepRun(false), mops.CacheDir(t.TempDir()))
	f := mops.Define("f", func(context.Context, pair[int, []mops.Source]) (int, error) { return 0, nil }, private())
	files := []mops.Source{mops.File(file(t, "x", "x")), mops.Dir(folder(t, map[string]string{"a": "a", "b/c": "c"}))}
	inputs := make([]pair[int, []mops.Source], 1000)
	for i := range inputs {
		inputs[i] = pair[int, []mops.Source]{i, files}
	}
	must(f.All(ctx, inputs))
	if made["put"] != 4 || made["stat"] > 10 || made["get"] != 0 {
		t.Errorf("a thousand calls made %v", made)
	}
}
