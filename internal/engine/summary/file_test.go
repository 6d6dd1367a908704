package summary

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 123e6, time.UTC)

func run(program string, pid int, start time.Time) Summary {
	return Summary{Program: program, PID: pid, Start: start, End: start.Add(time.Second)}
}

func TestWriteAndFindAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	if _, _, err := Latest(dir, ""); !errors.Is(err, ErrNone) {
		t.Errorf("nothing there: %v", err)
	}
	for i, s := range []Summary{
		run("/bin/one-and-only", 1, noon), run("/bin/two", 2, noon.Add(time.Hour)), run("/other/two", 3, noon.Add(2*time.Hour)),
		// Its local time is later, its own is not.
		run("/bin/three", 4, noon.Add(time.Minute).In(time.FixedZone("east", 12*3600))),
	} {
		if err := Write(dir, s); err != nil {
			t.Fatal(i, err)
		}
	}
	for program, pid := range map[string]int{
		"": 3, "two": 3, "/bin/two": 2, "/other/two": 3, "one-and-only": 1, "/bin/one-and-only": 1, "three": 4,
	} {
		s, path, err := Latest(dir, program)
		if err != nil || s.PID != pid || !strings.HasSuffix(path, fmt.Sprintf("-%d.json", pid)) {
			t.Errorf("%q: got %d from %s, %v", program, s.PID, path, err)
		}
	}
	if _, _, err := Latest(dir, "four"); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "four") {
		t.Errorf("got %v", err)
	}
	entries, err := List(dir, "")
	var pids []int
	for _, e := range entries {
		pids = append(pids, e.PID)
	}
	if err != nil || !reflect.DeepEqual(pids, []int{3, 2, 4, 1}) {
		t.Errorf("got %v, %v", pids, err)
	}
	if e := entries[3]; e.Program != "one_and_only" || !e.Start.Equal(noon) ||
		filepath.Base(e.Path) != "20261123T120000.123Z-one_and_only-1.json" {
		t.Errorf("got %+v", e)
	}
}

func TestOnlyTheUserMayRead(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, run("/bin/x", 1, noon)); err != nil {
		t.Fatal(err)
	}
	entries, _ := List(dir, "")
	for path, want := range map[string]os.FileMode{entries[0].Path: 0o600, filepath.Dir(entries[0].Path): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestOnlyTheNewestAreKept(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	if err := os.Mkdir(runs, 0o700); err != nil {
		t.Fatal(err)
	}
	touch := func(name string, age time.Duration) {
		path := filepath.Join(runs, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keep + 5 {
		touch(fmt.Sprintf("%s-x-1.json", noon.Add(time.Duration(i)*time.Minute).Format(stamp)), 0)
	}
	touch("tmp-abandoned", 2*abandoned)
	touch("tmp-being-written", 0)
	touch("notes.txt", 2*abandoned) // not ours
	if err := Write(dir, run("/bin/x", 2, noon.Add(24*time.Hour))); err != nil {
		t.Fatal(err)
	}
	entries, err := List(dir, "")
	if err != nil || len(entries) != keep || entries[0].PID != 2 || !entries[keep-1].Start.Equal(noon.Add(6*time.Minute)) {
		t.Errorf("%d are left, the oldest %v, %v", len(entries), entries[len(entries)-1], err)
	}
	for name, want := range map[string]bool{"tmp-abandoned": false, "tmp-being-written": true, "notes.txt": true} {
		if _, err := os.Stat(filepath.Join(runs, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyProgramsAtOnce(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for j := range 20 {
				if err := Write(dir, run("/bin/x", i, noon.Add(time.Duration(j)*time.Second))); err != nil {
					t.Error(err)
				}
				if _, _, err := Latest(dir, "x"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	files, err := os.ReadDir(filepath.Join(dir, "runs"))
	if err != nil || len(files) != keep {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, run("/bin/x", 1, noon)); err == nil || !strings.Contains(err.Error(), "summary") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoSummary(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "no summary of mops",
		"{":                     "no summary of mops",
		`{"mops_summary": 2}`:   "has format 2, and this program reads format 1",
		`{"calls": 3}`:          "has format 0",
		`{"mops_summary": "1"}`: "no summary of mops",
	} {
		if _, err := Decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	dir := t.TempDir()
	if err := Write(dir, run("/bin/x", 1, noon)); err != nil {
		t.Fatal(err)
	}
	entries, _ := List(dir, "")
	if err := os.WriteFile(entries[0].Path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, path, err := Latest(dir, ""); err == nil || path != entries[0].Path || !strings.Contains(err.Error(), path) {
		t.Errorf("got %s, %v", path, err)
	}
}

func TestDir(t *testing.T) {
	home := t.TempDir()
	for _, test := range []struct {
		variables map[string]string
		want      string // below home
	}{
		{map[string]string{"MOPS_STATE": home + "/a/../b", "XDG_STATE_HOME": home + "/c"}, "b"},
		{map[string]string{"XDG_STATE_HOME": home + "/c"}, "c/mops"},
		{map[string]string{"XDG_STATE_HOME": "relative", "HOME": home}, ".local/state/mops"},
		{map[string]string{"HOME": home}, ".local/state/mops"},
	} {
		want := test.want
		if want == ".local/state/mops" && isDarwin {
			want = "Library/Application Support/mops"
		}
		got, err := Dir(func(name string) (string, bool) { v, ok := test.variables[name]; return v, ok })
		if err != nil || got != filepath.Join(home, want) {
			t.Errorf("%v: got %q, %v", test.variables, got, err)
		}
	}
	relative := func(name string) (string, bool) { return "state", name == "MOPS_STATE" }
	if dir, err := Dir(relative); err == nil || !strings.Contains(err.Error(), "MOPS_STATE") {
		t.Errorf("got %q, %v", dir, err)
	}
}
