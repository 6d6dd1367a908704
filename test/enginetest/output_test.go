//go:build linux || darwin

package enginetest_test

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// A function that prints without end costs neither memory nor its result.
func TestLargeOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: large output")
	}
	t.Parallel()
	size := 48 << 20 // more than is kept
	if soak {
		size = 1 << 30
	}
	peak := map[int]int64{}
	for _, n := range []int{0, size} {
		place := t.TempDir()
		jobs := Jobs{Jobs: []Job{{Work: Work{Name: "a", Dir: place, Print: n}, On: "sub"}}}
		began := time.Now()
		p := enginetest.StartPlain(t, place, "jobs", jobs, rootVariable("file", place))
		for running := true; running; {
			peak[n] = max(peak[n], enginetest.PeakMemory(p.PID()))
			select {
			case <-p.Done():
				running = false
			case <-time.After(5 * time.Millisecond):
			}
		}
		expect(t, p, jobs)
		t.Logf("%d MiB printed in %v, %d MiB shown; peak memory of the program %d MiB", n>>20, time.Since(began), p.Stderr.Size()>>20, peak[n]>>20)
		if p.Stderr.Size() < int64(n) {
			t.Errorf("%d of %d bytes were shown", p.Stderr.Size(), n)
		}
	}
	// What is kept of the beginning may wait for the store in memory, and some of
	// it twice.
	const most = 128 << 20
	if more := peak[size] - peak[0]; more > most {
		t.Errorf("%d MiB of output took %d MiB of memory", size>>20, more>>20)
	}
}
