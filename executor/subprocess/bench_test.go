//go:build linux || darwin

package subprocess_test

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// BenchmarkStartWait compares an empty worker with a bare os/exec run of the
// same program, in turn in one run, and reports the median of the ratios.
func BenchmarkStartWait(b *testing.B) {
	e := subprocess.New()
	inv := invocation("nothing")
	inv.Log = func([]byte) {}
	env := append(os.Environ(), roleVariable+"=nothing")
	var ratios, ours, bares []float64
	for b.Loop() {
		began := time.Now()
		cmd := exec.Command(os.Args[0])
		cmd.Env = env
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		bare := time.Since(began)

		began = time.Now()
		w, err := e.Start(b.Context(), inv)
		if err != nil {
			b.Fatal(err)
		}
		w.Wait(b.Context())
		our := time.Since(began)
		ratios = append(ratios, float64(our)/float64(bare))
		ours, bares = append(ours, our.Seconds()*1e3), append(bares, bare.Seconds()*1e3)
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(ours), "ms/worker")
	b.ReportMetric(median(bares), "ms/bare")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
