package mops_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

var fileLength = mops.Define("firstrun/length", func(ctx context.Context, file mops.Source) (int, error) {
	data, err := file.ReadAll(ctx)
	return len(data), err
})

func init() {
	programs["length of a file"] = func() {
		mops.Main(func(ctx context.Context) error {
			_, err := fileLength.Call(ctx, mops.File(os.Args[1]))
			return err
		})
	}
}

// Who has named no root hears once where the megabytes are.
func TestFirstRunSaysWhereTheRootIs(t *testing.T) {
	large, other, small := filepath.Join(t.TempDir(), "large"), filepath.Join(t.TempDir(), "other"), filepath.Join(t.TempDir(), "small")
	for path, size := range map[string]int{large: 3_170_000, other: 4 << 20, small: 3} {
		if err := os.WriteFile(path, make([]byte, size), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run := func(home, path string, variables ...string) string {
		t.Helper()
		command := exec.Command(os.Args[0], path)
		command.Env = append(append(os.Environ(), programVariable+"=length of a file", "HOME="+home, "MOPS_CACHE="+t.TempDir()), variables...)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	home := t.TempDir()
	root := filepath.Join(home, ".mops")
	said := run(home, large)
	if withoutProgress(said) != "" || strings.Count(said, "MOPS_ROOT") != 1 || !strings.Contains(said, "take 3.2 MB in "+root+" now: mops gc removes what is old, rm -rf all of it; MOPS_ROOT names another place\n") {
		t.Errorf("the first run said %q", said)
	}
	for what, said := range map[string]string{
		"the second run":      run(home, other),
		"one that keeps less": run(t.TempDir(), small),
		"one that is quiet":   run(t.TempDir(), large, "MOPS_PROGRESS=off"),
		"one with a root":     run(t.TempDir(), large, "MOPS_ROOT=file://"+t.TempDir()),
	} {
		if strings.Contains(said, "MOPS_ROOT") {
			t.Errorf("%s said %q", what, said)
		}
	}
}
