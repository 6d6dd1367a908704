// Package mopstest makes environments for users' tests: each test has a store
// of its own in memory, so it finds no result from before an edit.
package mopstest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

// Context returns a context on which calls work until the test ends. Calls run
// in process and are memoized in memory, for this test only; warnings are part
// of the test's output. Neither the config file nor MOPS_* variables count;
// options do. For functions in subprocesses give a root of files, such as
// mops.Root("file://" + t.TempDir()), and call mops.Init in TestMain. The test
// fails at once if the environment cannot be made, and at its end if it cannot
// be closed.
func Context(t testing.TB, options ...mops.EnvOption) context.Context {
	t.Helper()
	root := "mem://mopstest-" + strings.ToLower(rand.Text())
	t.Cleanup(func() { memblob.Forget(root) })
	own := []mops.EnvOption{
		mops.Isolated(), mops.Root(root), mops.CacheDir(t.TempDir()),
		mops.LogTo(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	env, err := mops.New(t.Context(), append(own, options...)...)
	if err != nil {
		t.Fatalf("mopstest: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Errorf("mopstest: %v", err)
		}
	})
	return env.Context(t.Context())
}
