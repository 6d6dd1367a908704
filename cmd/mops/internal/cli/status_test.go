package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Where nothing is a terminal, lines come seldom; nowhere do they come when they
// are not wanted.
func TestStatus(t *testing.T) {
	for mode, want := range map[string]int{"": 3, "plain": 3, "off": 0} {
		path := filepath.Join(t.TempDir(), "stderr")
		synctest.Test(t, func(t *testing.T) {
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			a := &App{Stderr: file, Lookup: func(name string) (string, bool) {
				return map[string]string{"MOPS_PROGRESS": mode, "TERM": "xterm"}[name], true
			}}
			s := a.Status(func() string { return "half\x1b[31m" })
			time.Sleep(3*statusPlain + time.Second)
			s.Stop()
		})
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(data), "mops: half"); got != want || strings.Contains(string(data), "\x1b") {
			t.Errorf("%q: %q", mode, data)
		}
	}
}
