package look

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const runID = "2611231200-SkirtBusRiver"

// kept is a run as it is read from a store.
func kept(t *testing.T, head programs.Head, end *programs.End, state programs.State, calls ...programs.Call) summaryView {
	t.Helper()
	store := blob.New("adls://account/box", memblob.New())
	w := programs.Writer{Store: store, ID: runID}
	var lines []byte
	for _, c := range calls {
		var err error
		if lines, err = programs.Encode(lines, c); err != nil {
			t.Fatal(err)
		}
	}
	err := w.Begin(t.Context(), head)
	if err == nil {
		err = w.Append(t.Context(), state, lines)
	}
	if err == nil && end != nil {
		end.State = state
		err = w.End(t.Context(), *end)
	}
	if err != nil {
		t.Fatal(err)
	}
	run, err := programs.Read(context.Background(), store, runID)
	if err != nil {
		t.Fatal(err)
	}
	return summarise(run, store, prices, time.Now())
}

var prices = programs.Prices{Currency: "EUR", By: map[string]programs.Price{"k8s": {CPU: 0.04, Memory: 0.005, GPU: 2, Spot: 0.5}}}

var forecast = programs.Head{
	Program: "/usr/local/bin/forecast", Build: record.Program{Version: "v0.3.1", Revision: "3f2a1c9d8e7b6a5f4e3d2c1b0a9f8e7d6c5b4a39", Dirty: true},
	Arguments: 2, Host: "node-1", User: "ada", PID: 4711, Start: noon, Pipeline: "daily", Options: map[string]string{"executor": "k8s"}, Fields: map[string]any{"ticket": "ML-17"},
}

func TestSummary(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	used := programs.Charge(nil, "k8s", true, programs.Resources{WallSeconds: 9000, CPUSeconds: 9000, CPUs: 2, MemoryLimit: 4 << 30, GPUs: 1})
	saved := programs.Charge(nil, "subprocess", false, programs.Resources{WallSeconds: 90000, CPUSeconds: 72000, PeakMemory: 1 << 29})
	s := kept(t, forecast, &programs.End{End: noon.Add(75 * time.Minute), Exit: 1, Cancelled: true, Error: "interrupted"}, programs.State{
		At: 4500, Dropped: 3,
		Functions: []programs.Function{
			{Name: "clean@0", Totals: programs.Totals{Calls: 1234500, Hits: 1234500}, Saved: saved},
			{Name: "forecast/train@2", Totals: programs.Totals{Calls: 90, Hits: 55, Computed: 31, Failed: 3, Queued: 1, ComputingSeconds: 9000.25, LongestSeconds: 4000}, Used: used},
		},
	},
		programs.Call{Function: "forecast/train@2", Memo: "mops1/daily/forecast/train@2/amber-kite-river.a1b2", Run: "2611231412-SkirtBus", Resources: programs.Resources{WallSeconds: 4000}, Outcome: "computed"},
		programs.Call{Function: "forecast/train@2", Memo: "s3://key:hunter2@other/mops1/daily/forecast/train@2/blue-oak-sea.c3d4?sig=hunter2", Run: "2611231413-CupTree", Resources: programs.Resources{WallSeconds: 0.25}, Outcome: "failed", Error: "no <data> for\x1b[2J 2026-11"},
		programs.Call{Function: "clean@0", Memo: "mops1/daily/clean@0/old-old-old.ffff", Outcome: "hit"},
	)
	golden(t, "summary.txt", s.render(prices))

	golden(t, "idle.txt", kept(t, programs.Head{Program: "/bin/idle", Start: noon}, nil, programs.State{At: 2}).render(programs.Prices{}))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestSummaryIsCleaned(t *testing.T) {
	bad := "a\x1b[2J\x07\nb"
	head := programs.Head{Program: bad, Build: record.Program{Version: bad, Revision: bad}, Root: bad, Pipeline: bad, User: bad, Options: map[string]string{bad: bad}, Fields: map[string]any{bad: bad}}
	s := kept(t, head, &programs.End{Error: bad}, programs.State{Functions: []programs.Function{{Name: bad}}}, programs.Call{Function: bad, Memo: bad, Error: bad, Outcome: "failed", Resources: programs.Resources{WallSeconds: 1}})
	if text := strings.ReplaceAll(s.render(prices), "\n", ""); strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, "[2J") {
		t.Errorf("got %q", text)
	}
}
