// Package mopstest tests code of users that calls through mops. Each test has a
// store of its own in memory, so it finds no result from before an edit; stubs stand
// in for functions, and functions, workers and stores fail on purpose.
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
// in process, whatever [mops.Define] and the code under test say, and are memoized
// in memory, for this test only; warnings are part of the test's output. Neither the
// config file nor MOPS_* variables count; the options of the test do, and they win
// over those in the code, as with [mops.Force].
//
// For functions in subprocesses give mops.On(subprocess.New()) and a root of files,
// such as mops.Root("file://" + t.TempDir()), and call mops.Init in TestMain. The
// test fails at once if the environment cannot be made, and at its end if it cannot
// be closed.
func Context(t testing.TB, options ...mops.EnvOption) context.Context {
	t.Helper()
	root := "mem://mopstest-" + strings.ToLower(rand.Text())
	t.Cleanup(func() { memblob.Forget(root) })
	forced := []mops.Option{mops.InProcess()}
	own := []mops.EnvOption{
		mops.Isolated(), mops.Root(root), mops.CacheDir(t.TempDir()),
		mops.LogTo(slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	for _, o := range options {
		if forcible, ok := o.(mops.Option); ok {
			forced = append(forced, forcible)
		}
	}
	own = append(own, options...)
	env, err := mops.New(t.Context(), append(own, mops.Force(forced...))...)
	if err != nil {
		t.Fatalf("mopstest: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Errorf("mopstest: %v", err)
		}
	})
	return context.WithValue(env.Context(t.Context()), rootKey{}, root)
}

// rootKey is that of the store in memory.
type rootKey struct{}
