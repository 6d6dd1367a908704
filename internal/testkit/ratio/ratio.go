// Package ratio compares an operation of ours with a bare one in a benchmark: on
// machines that others share, absolute times say nothing. It is for tests of the
// drivers and stands beside internal/testkit/emulator.
package ratio

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// Turns runs both by turns, as often as b.Loop says, batch operations on each of
// so many goroutines in a turn. It reports the median of the ratios of their
// times, and what one operation took of each.
func Turns(b *testing.B, goroutines, batch int, ours, bare func() error) {
	b.Helper()
	measure := func(do func() error) time.Duration {
		var running sync.WaitGroup
		start := time.Now()
		for range goroutines {
			running.Go(func() {
				for range batch {
					if err := do(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		running.Wait()
		return time.Since(start)
	}
	var ratios []float64
	var total, totalBare time.Duration
	for round := 0; b.Loop(); round++ {
		var took, tookBare time.Duration
		if round%2 == 0 { // neither pays for the other
			took, tookBare = measure(ours), measure(bare)
		} else {
			tookBare, took = measure(bare), measure(ours)
		}
		ratios = append(ratios, float64(took)/float64(tookBare))
		total, totalBare = total+took, totalBare+tookBare
	}
	slices.Sort(ratios)
	operations := float64(len(ratios) * batch * goroutines)
	b.ReportMetric(0, "ns/op") // of a turn, which does not mean anything
	b.ReportMetric(float64(total.Microseconds())/operations, "ours-µs")
	b.ReportMetric(float64(totalBare.Microseconds())/operations, "bare-µs")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}
