package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The test binary is its own worker.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

func report(t *testing.T, ctx context.Context, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(ctx, args, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// shares are the percentages of right answers, to choose by, and that of the best
// on digits that took no part.
func shares(t *testing.T, report string) (choosing []float64, judged float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`([\d.]+) %(;?)`).FindAllStringSubmatch(report, -1) {
		share, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		if m[2] != "" {
			return choosing, share
		}
		choosing = append(choosing, share)
	}
	t.Fatalf("there is no verdict in\n%s", report)
	return nil, 0
}

func TestLearnsAndRemembers(t *testing.T) {
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()))
	first := report(t, ctx, "-digits", "600")
	choosing, judged := shares(t, first)
	if len(choosing) != 9 || choosing[0] > judged-20 {
		t.Errorf("%v: of nine ways to train, the smallest and slowest should do far worse than the best", choosing)
	}
	if judged < 60 {
		t.Errorf("%.1f %% right; guessing gives 10, and so few digits are enough for 60", judged)
	}
	if !strings.Contains(first, "\n22 calls: 0 hits, 22 computed, 0 awaited in ") {
		t.Errorf("the first run should compute all:\n%s", first)
	}

	verdict, calls, _ := strings.Cut(report(t, ctx, "-digits", "600"), "22 calls: ")
	if !strings.HasPrefix(first, verdict) || !strings.HasPrefix(calls, "22 hits, 0 computed, 0 awaited in ") {
		t.Errorf("the second run should be all hits, with the same verdict:\n%s%s", verdict, calls)
	}
}

// What a network learned is in what it learned from: with labels that mean
// nothing, it knows no more about other digits than a guess.
func TestNothingIsLearnedFromNoise(t *testing.T) {
	ctx := mopstest.Context(t)
	training, err := Draw.Call(ctx, Drawing{1000, 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range training.Labels {
		training.Labels[i] = byte(i % 10)
	}
	others, err := Draw.Call(ctx, Drawing{1000, 2})
	if err != nil {
		t.Fatal(err)
	}
	network, err := Train.Call(ctx, Lesson{mops.Share(training), 16, 0.01})
	if err != nil {
		t.Fatal(err)
	}
	if right, err := Judge.Call(ctx, Trial{network, mops.Share(others)}); err != nil || right > 0.2 {
		t.Errorf("%.2f right, %v", right, err)
	}
}

func TestPlaces(t *testing.T) {
	for want, p := range map[string]place{
		"subprocess": {on: "subprocess"},
		"k8s":        {on: "k8s", repository: "ghcr.io/team/mldemo", secret: "store", gpus: 1, insecure: true},
	} {
		if executor, err := p.executor(); err != nil || executor.Name() != want {
			t.Errorf("%+v: %v, %v", p, executor, err)
		}
	}
	for want, p := range map[string]place{
		"-on here: training runs on subprocess or k8s": {on: "here"},
		"-on k8s: say with -image":                     {on: "k8s"},
	} {
		if _, err := p.executor(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", p, err, want)
		}
	}
}
