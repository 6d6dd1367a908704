//go:build linux

package subprocess_test

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// BenchmarkStay compares an empty call in a process that stays with one in a
// process of its own, in turn in one run.
func BenchmarkStay(b *testing.B) {
	stay, each := subprocess.New(subprocess.Stay()), subprocess.New()
	inv := invocation("again")
	inv.Log = func([]byte) {}
	var ratios, ours, bares []float64
	call := func(e *subprocess.Executor) float64 {
		began := time.Now()
		w, err := e.Start(b.Context(), inv)
		if err != nil {
			b.Fatal(err)
		}
		exit, err := w.Wait(b.Context())
		if err != nil || exit.Err != nil {
			b.Fatal(exit, err)
		}
		return time.Since(began).Seconds() * 1e3
	}
	call(stay)
	for b.Loop() {
		bare, our := call(each), call(stay)
		ratios = append(ratios, bare/our)
		ours, bares = append(ours, our), append(bares, bare)
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(ours), "ms/staying")
	b.ReportMetric(median(bares), "ms/each")
}
