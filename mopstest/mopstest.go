// Package mopstest makes environments for users' tests: each test has a store
// of its own in memory, so that nothing is found from before an edit.
package mopstest

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// Context returns a context on which calls work until the test ends. Calls run
// in process and are memoized in memory, for this test only. Neither the config
// file nor MOPS_* variables have a say; options do.
func Context(t testing.TB, options ...mops.EnvOption) context.Context {
	t.Helper()
	root := mops.Root("mem://mopstest-" + strings.ToLower(rand.Text()))
	env, err := mops.New(t.Context(), append([]mops.EnvOption{mops.Isolated(), root, mops.CacheDir(t.TempDir())}, options...)...)
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
