package summary

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
)

const isDarwin = runtime.GOOS == "darwin"

var update = flag.Bool("update", false, "write the golden files")

var example = Summary{
	Format: Format, Program: "/usr/local/bin/forecast", Version: "v0.3.1", Revision: "3f2a1c9d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39", Dirty: true,
	Arguments: 2, Host: "node-1", PID: 4711, Start: noon, End: noon.Add(75 * time.Minute), Exit: 1, Cancelled: true,
	Root: "adls://account/box", Pipelines: []string{"forecast", "daily"},
	Totals: Totals{Calls: 1234590, Hits: 1234555, Computed: 31, Failed: 3, Open: 1, Queued: 1, ComputingSeconds: 9000.25, LongestSeconds: 4000},
	Functions: []Function{
		{"clean", Totals{Calls: 1234500, Hits: 1234500}},
		{"forecast/train", Totals{Calls: 90, Hits: 55, Computed: 31, Failed: 3, Open: 1, Queued: 1, ComputingSeconds: 9000.25, LongestSeconds: 4000}},
	},
	Longest: []Call{
		{Function: "forecast/train", MemoURI: "adls://account/box/mops1/forecast/forecast/train@0/amber-kite-river.a1b2", Run: "2611231412-SkirtBus", Seconds: 4000, Outcome: "computed"},
		{Function: "forecast/train", MemoURI: "adls://account/box/mops1/forecast/forecast/train@0/blue-oak-sea.c3d4", Run: "2611231413-CupTree", Seconds: 0.25, Outcome: "failed"},
	},
	Failures: []Call{
		{Function: "forecast/train", MemoURI: "adls://account/box/mops1/forecast/forecast/train@0/blue-oak-sea.c3d4", Run: "2611231413-CupTree", Seconds: 0.25, Outcome: "failed", Error: "no <data> for\x1b[2J 2026-11"},
	},
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestRender(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	var out bytes.Buffer
	if err := Render(&out, example); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.txt", out.Bytes())

	out.Reset()
	if err := Render(&out, Summary{Program: "/bin/idle", Start: noon, End: noon}); err != nil {
		t.Fatal(err)
	}
	golden(t, "idle.txt", out.Bytes())
}

// The stored form, which other tools read.
func TestFormat(t *testing.T) {
	var out bytes.Buffer
	if err := Encode(&out, example); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.json", out.Bytes())
	again, err := Decode(&out)
	if err != nil || !reflect.DeepEqual(again, example) {
		t.Errorf("got %+v, %v", again, err)
	}
}

func TestRenderIsCleaned(t *testing.T) {
	bad := "a\x1b[2J\x07\nb"
	s := Summary{Program: bad, Version: bad, Revision: bad, Root: bad, Pipelines: []string{bad},
		Functions: []Function{{Name: bad}}, Longest: []Call{{Function: bad, MemoURI: bad}}, Failures: []Call{{Function: bad, MemoURI: bad, Error: bad}}}
	var out bytes.Buffer
	if err := Render(&out, s); err != nil {
		t.Fatal(err)
	}
	if text := strings.ReplaceAll(out.String(), "\n", ""); strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, "[2J") {
		t.Errorf("got %q", out.String())
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestRenderReportsFailures(t *testing.T) {
	if err := Render(broken{}, example); err == nil {
		t.Error("no error")
	}
}
