//go:build linux || darwin

package enginetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// TestPack: a call that kills its worker fails alone, and whatever was beside it
// does not. Nothing else is computed twice.
func TestPack(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	dir := filepath.Join(place, "dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var jobs Jobs
	for i := range 60 {
		jobs.Jobs = append(jobs.Jobs, Job{Work: Work{Name: fmt.Sprintf("w%d", i), Dir: dir}, On: "pack"})
	}
	ends := map[int]string{7: "kill", 20: "exit", 21: "panic elsewhere", 33: "fail", 50: "panic"}
	for i, end := range ends {
		jobs.Jobs[i].Work.End = end
	}
	p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	if code := p.Wait(time.Minute); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, p.Stderr)
	}
	kinds := map[string]string{"kill": "exec Signalled", "exit": "exec NoResult", "panic elsewhere": "exec WorkerFailed", "fail": "func", "panic": "panic"}
	ran := counts(t, enginetest.Tally{Dir: dir})
	for _, r := range reports(t, p) {
		name, end := jobs.Jobs[r.Index].Work.Name, ends[r.Index]
		times := 1
		if kind := kinds[end]; strings.HasPrefix(kind, "exec") {
			times = 2 // once more, alone
		}
		if r.Kind != kinds[end] || end == "" && r.Text != name {
			t.Errorf("%s, which ends with %q: %q, %s: %s", name, end, r.Text, r.Kind, r.Error)
		}
		if ran[name] != times {
			t.Errorf("%s, which ends with %q, ran %d times, want %d", name, end, ran[name], times)
		}
	}
	t.Log(p.Stderr)
	left, err := filepath.Glob(filepath.Join(place, "root/mops1-packs/*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left of packs: %q, %v", left, err)
	}
}
