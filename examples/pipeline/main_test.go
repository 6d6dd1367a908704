package main

import (
	"crypto/rand"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The test binary is the worker that trains.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

// As it is for users: each step runs where the program says. mopstest.Context, of the
// tests below, has all of them run in the test's own process.
func TestTrainingRunsInASubprocess(t *testing.T) {
	folder, root, path := t.TempDir(), "file://"+t.TempDir(), filepath.Join(t.TempDir(), "report.html")
	put(t, folder, "stations.csv", "station,metres\nsea,0\npeak,1000\n")
	put(t, folder, "readings-1.csv", "station,degrees\nsea,20\n")
	put(t, folder, "readings-2.csv", "station,degrees\npeak,10\n")
	for _, want := range []map[string]int{
		{
			"examples/pipeline/clean@0 computed inproc": 2, "examples/pipeline/join@0 computed inproc": 1,
			"examples/pipeline/train@0 computed subprocess": 1, "examples/pipeline/score@0 computed inproc": heights,
		},
		{
			"examples/pipeline/clean@0 hit": 2, "examples/pipeline/join@0 hit": 1,
			"examples/pipeline/train@0 hit": 1, "examples/pipeline/score@0 hit": heights,
		},
	} {
		got := map[string]int{}
		env, err := mops.New(t.Context(), mops.Isolated(), mops.Root(root), mops.CacheDir(t.TempDir()), mops.Observe(func(e mops.Event) {
			switch {
			case e.Kind == mops.CallEnded && e.Outcome == mops.Hit:
				got[e.Function+" hit"]++
			case e.Kind == mops.AttemptEnded && e.Err == nil:
				got[e.Function+" computed "+e.Executor]++
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		report, err := run(env.Context(t.Context()), folder)
		if err := errors.Join(err, env.Close(), write(report, path)); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v; want %v", got, want)
		}
		if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "20.000 + -0.0100") {
			t.Errorf("the page is %.500q, %v", text, err)
		}
	}
}

func TestPipeline(t *testing.T) {
	folder, root := t.TempDir(), "mem://pipeline-"+rand.Text()
	ctx := mopstest.Context(t, mops.Root(root))
	put(t, folder, "stations.csv", "station,metres\nsea,0\nhill,500\npeak,1000\n")
	put(t, folder, "readings-1.csv", "station,degrees\nsea,20\nhill,broken\npeak,10\n")
	put(t, folder, "readings-2.csv", "station,degrees\nhill,15\n,3\n")
	report, err := run(ctx, folder)
	if err != nil {
		t.Fatal(err)
	}
	if m := report.Model; math.Abs(m.Base-20) > 1e-9 || math.Abs(m.PerMetre+0.01) > 1e-9 {
		t.Errorf("the model is %v", m)
	}
	if len(report.Scores) != heights || math.Abs(report.Scores[1500]-5) > 1e-9 {
		t.Errorf("%d scores", len(report.Scores))
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := write(report, path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<td>readings-1.csv</td><td>2</td><td>1</td>", "20.000 + -0.0100", "1999,0.01 "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %s:\n%.800s", want, text)
		}
	}

	// All is there. Another reading that is dropped makes the same table, so no more
	// than its file is cleaned anew.
	hits := mopstest.Context(t, mops.Root(root), mops.RequireResults())
	if _, err := run(hits, folder); err != nil {
		t.Errorf("the second run: %v", err)
	}
	put(t, folder, "readings-1.csv", "station,degrees\nsea,20\nhill,unknown\npeak,10\n")
	if _, err := run(hits, folder); !errors.Is(err, mops.ErrNoResult) {
		t.Errorf("a changed file is a hit: %v", err)
	}
	if _, err := Clean.Call(ctx, mops.File(filepath.Join(folder, "readings-1.csv"))); err != nil {
		t.Fatal(err)
	}
	if _, err := run(hits, folder); err != nil {
		t.Errorf("more than one file's calls were computed anew: %v", err)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for readings, want := range map[string]string{
		"station,kelvin\nsea,20\n":    "a table should begin with station,degrees",
		"station,degrees\nmoon,-20\n": `the station "moon" has readings and is not among the stations`,
		"station,degrees\nsea,20\n":   "1 readings of one height make no line",
	} {
		folder := t.TempDir()
		put(t, folder, "stations.csv", "station,metres\nsea,0\n")
		put(t, folder, "readings-1.csv", readings)
		if _, err := run(mopstest.Context(t), folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
	}
	if _, err := run(mopstest.Context(t), t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is no readings-*.csv") {
		t.Errorf("got %v", err)
	}
}

func put(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
