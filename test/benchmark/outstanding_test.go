package benchmark

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

// gate keeps the functions of BenchmarkOutstanding running until it is closed.
var gate chan struct{}

var gated = mops.Define("benchmark/gated", func(ctx context.Context, i int) (int, error) {
	select {
	case <-gate:
		return i, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}, mops.On(inproc.New(inproc.Limit(2))))

// A hundred thousand calls outstanding in one process: the memory that they
// take (budget: 512 MiB in all), and what a hit costs meanwhile against before.
func BenchmarkOutstanding(b *testing.B) {
	const calls = 100_000
	if b.N > 1 {
		b.Skip("what one round leaves in memory would count in the next: it runs once")
	}
	for range b.N {
		gate = make(chan struct{})
		ctx, _ := environment(b)
		const hits = 2000
		for i := range hits {
			must(small.Call(ctx, numbered(i)))
		}
		hitAll := func() time.Duration {
			return timed(func(i int) { must(small.Call(ctx, numbered(i))) }, 0, hits)
		}
		before := hitAll()
		ctx, cancel := context.WithCancel(ctx)
		started := make([]*mops.Call[int], calls)
		for i := range calls {
			started[i] = must(gated.Start(ctx, i))
		}
		settled()
		b.ReportMetric(float64(resident())/(1<<20), "MiB-resident")
		b.ReportMetric(512, "budget-MiB")
		b.ReportMetric(hitAll().Seconds()/before.Seconds(), "hit-ratio")
		cancel()
		for _, call := range started {
			<-call.Done()
		}
	}
}

// settled returns when the number of goroutines stands, and their stacks have
// shrunk to what they need.
func settled() {
	for last := -1; last != runtime.NumGoroutine(); {
		last = runtime.NumGoroutine()
		time.Sleep(100 * time.Millisecond) // what is waited for is that nothing happens
	}
	runtime.GC()
	runtime.GC()
}

// resident is the memory of this process, in bytes, as the kernel counts it.
func resident() int64 { return memory("VmRSS:") }

// memory is a line of proc_pid_status(5), in bytes.
func memory(name string) int64 {
	for line := range strings.Lines(string(must(os.ReadFile("/proc/self/status")))) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib := must(strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64))
			return kib << 10
		}
	}
	return 0
}
