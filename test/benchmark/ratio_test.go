package benchmark

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
)

// A worker of these benchmarks is this test binary.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

// compare runs ours and bare by turns, as often as b.Loop says, n operations of
// so many calls in each turn, and reports the median of the ratios of their times.
func compare(b *testing.B, n, calls int, budget float64, ours, bare func(i int)) {
	b.Helper()
	var ratios, ourTimes, bareTimes []float64
	i := 0
	ours(-1) // both warm
	bare(-1)
	for b.Loop() {
		// Who comes first changes, so that neither pays for the other.
		var a, c time.Duration
		if len(ratios)%2 == 0 {
			a, c = timed(ours, i, n), timed(bare, i, n)
		} else {
			c, a = timed(bare, i, n), timed(ours, i, n)
		}
		i += n
		ratios = append(ratios, float64(a)/float64(c))
		ourTimes = append(ourTimes, float64(a.Nanoseconds())/float64(n*calls))
		bareTimes = append(bareTimes, float64(c.Nanoseconds())/float64(n*calls))
	}
	b.ReportMetric(0, "ns/op") // of a turn: says nothing
	b.ReportMetric(median(ourTimes), "mops-ns/call")
	b.ReportMetric(median(bareTimes), "bare-ns/call")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(budget, "budget")
}

func timed(f func(int), from, n int) time.Duration {
	start := time.Now()
	for i := range n {
		f(from + i)
	}
	return time.Since(start)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// sideBySide makes one operation of many, on that many goroutines.
func sideBySide(goroutines, each int, f func(i int)) func(i int) {
	return func(from int) {
		if from < 0 {
			f(from)
			return
		}
		var running sync.WaitGroup
		for g := range goroutines {
			running.Go(func() {
				for i := range each {
					f((from*goroutines+g)*each + i)
				}
			})
		}
		running.Wait()
	}
}

// environment is a context with a fresh root in a folder, which is deleted at the end only.
func environment(b *testing.B, options ...mops.EnvOption) (ctx context.Context, folder string) {
	b.Helper()
	folder = b.TempDir()
	options = append([]mops.EnvOption{mops.Isolated(), mops.Root("file://" + folder + "/root"), mops.CacheDir(folder + "/cache")}, options...)
	env, err := mops.New(b.Context(), options...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { env.Close() })
	return env.Context(b.Context()), folder
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Sprint("benchmark: ", err))
	}
	return value
}
