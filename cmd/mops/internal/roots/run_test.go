package roots

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

func TestRun(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	usual := "file://" + dir
	a := &cli.App{Lookup: func(name string) (string, bool) { return usual, name == "MOPS_ROOT" }}
	if _, _, err := Run(t.Context(), a, "latest"); err == nil || !strings.Contains(err.Error(), "MOPS_RUNS=off") {
		t.Errorf("none yet: %v", err)
	}
	store, err := blob.Open(t.Context(), usual)
	if err != nil {
		t.Fatal(err)
	}
	const old, latest = "2611221200-OldOneTwo", "2611231200-BigRiverSea"
	for _, id := range []string{old, latest} {
		w := programs.Writer{Store: store, ID: id}
		if err := w.Begin(t.Context(), programs.Head{Start: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"latest": latest, old: old, "261122": old, "2611231200-Big": latest, usual: latest, dir: latest,
		usual + "/mops1-runs/" + old: old, usual + "/mops1-runs/" + old + "/head.json": old, usual + "/mops1-runs/latest": latest, dir + "/mops1-runs/" + old: old,
		"mops1-runs/" + old: old, "mops1-runs": "", "2611": "", "2612": "", "forecast": "", usual + "/mops1/p": "",
	} {
		if _, id, err := Run(t.Context(), a, text); id != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, id, err)
		}
	}
	for text, want := range map[string]bool{"latest": true, "2611": true, old: true, "2611231200-B": true, "mops1-runs/x": true, "forecast": false, "./2611": false, "": false} {
		if IsRun(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
