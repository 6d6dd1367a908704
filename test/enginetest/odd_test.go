//go:build linux || darwin

package enginetest_test

import (
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

// The kind of fault is that a call waits for ever, deaf to its context, or tries
// for ever, for what is no regular file where one of its records belongs. So,
// whatever lies in whichever place of a root, a call ends soon: with its answer,
// or with an error that names the place. When the thing is gone, all is well.
func TestOddThingsInRoot(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: odd things in every place of a root")
	}
	t.Parallel()
	for _, place := range []string{
		"*/result", "*/lease", "*/lease~", "*/lease~/*", "*/lease~/*/*-*[0-9a-f]", "*/invocation", "*/error", "*/runs", "*/runs/*.log", "*/runs/*.log/*", "*/out/*/written",
		"*", "../..", "../../..", "../../../../mops1-blobs", "../../../../mops1-blobs/sha256/*", "../../../../mops1-sessions", "../../../../.mops-tmp",
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			for kind := range openfiletest.Odd {
				for _, on := range []string{"", "sub"} {
					if on == "" || kind == "pipe" || kind == "dangling link" {
						withOdd(t, place, kind, on)
					}
				}
			}
		})
	}
}

func withOdd(t *testing.T, place, kind, on string) {
	root, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "source"), []byte("read"), 0o600); err != nil {
		t.Fatal(err)
	}
	what := kind + " as " + place + " on " + on
	work := Work{Name: "a", Dir: dir, Print: 10, Write: 100, Read: mops.File(filepath.Join(dir, "source"))}
	call := func(work Work, on string) (string, error) {
		return openfiletest.Soon(t, what, func() (string, error) {
			env, err := mops.New(context.Background(), mops.Isolated(), mops.Root("file://"+root), mops.LogTo(slog.New(slog.DiscardHandler)))
			if err != nil {
				return "", err
			}
			defer env.Close() // what it says of a session that it cannot end is another matter
			ctx := env.Context(context.Background())
			answer, err := doWork.With(mops.On(executors[on]), mops.KeepErrors()).Call(ctx, work)
			if err != nil {
				return "", err
			}
			return answer.text(ctx)
		})
	}
	failing := Work{Name: "f", Dir: dir, End: "fail"}
	if strings.HasPrefix(place, "*/error") {
		work = failing
	}
	want, wantErr := call(work, "sub")
	functions, err := filepath.Glob(filepath.Join(root, "mops1/*/enginetest/work@0"))
	if err != nil || len(functions) != 1 {
		t.Fatal(functions, err)
	}
	found, _ := filepath.Glob(filepath.Join(functions[0], place))
	if len(found) == 0 && strings.Contains(place, "*") && !strings.Contains(place, "error") {
		t.Fatalf("%s: there is none in %s", what, functions[0])
	}
	if place != "*/result" && !strings.Contains(place, "out/") {
		results, _ := filepath.Glob(filepath.Join(functions[0], "*/result"))
		for _, result := range results {
			os.Remove(result)
		}
	}
	for _, path := range found {
		openfiletest.Put(t, path, kind)
	}
	got, err := call(work, on)
	named := false
	for _, path := range found {
		call, _, later := strings.Cut(path, "/lease~/")
		named = named || err != nil && (strings.Contains(err.Error(), path) || later && strings.Contains(err.Error(), call+"/lease~ "))
	}
	switch {
	case err == nil && got == want && wantErr == nil, err != nil && wantErr != nil && kindOf(err) == kindOf(wantErr):
	case err == nil || !named || kindOf(err) == "unexplained":
		t.Errorf("%s: %q, of kind %s: %v", what, got, kindOf(err), err)
	}
	for _, path := range found {
		if call, _, later := strings.Cut(path, "/lease~/"); later {
			path = call + "/lease~" // as the error says
		}
		os.RemoveAll(path)
	}
	if strings.Contains(place, "out/") || strings.HasPrefix(place, "../../../../mops1-blobs") { // what was removed is missing
		os.RemoveAll(root)
	}
	if got, err := call(work, on); got != want || (err == nil) != (wantErr == nil) {
		t.Errorf("%s, and when it was gone: %q, %v", what, got, err)
	}
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type()&^fs.ModeDir != 0 && !strings.HasSuffix(path, "-pipe") {
			t.Errorf("%s: %s is a %v", what, path, d.Type())
		}
		return nil
	})
}
