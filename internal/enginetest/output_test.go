//go:build linux || darwin

package enginetest_test

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/enginetest"
)

// A function that prints without end costs neither memory nor its result.
func TestLargeOutput(t *testing.T) {
	t.Parallel()
	size := 128 << 20
	if soak {
		size = 1 << 30
	}
	peak := map[int]int64{}
	for _, n := range []int{0, size} {
		place := t.TempDir()
		jobs := Jobs{Jobs: []Job{{Work: Work{Name: "a", Dir: place, Print: n}, On: "sub"}}}
		began := time.Now()
		p := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
		if code := p.Wait(5 * time.Minute); code != 0 {
			t.Errorf("exit code %d", code)
		}
		expect(t, p, jobs)
		peak[n] = p.State().SysUsage().(*syscall.Rusage).Maxrss
		if runtime.GOOS == "linux" {
			peak[n] <<= 10 // it is in KiB there, see getrusage(2)
		}
		t.Logf("%d MiB printed in %v, %d MiB shown; peak memory of the program %d MiB", n>>20, time.Since(began), p.Stderr.Size()>>20, peak[n]>>20)
		if p.Stderr.Size() < int64(n) {
			t.Errorf("%d of %d bytes were shown", p.Stderr.Size(), n)
		}
	}
	// What is kept of the beginning may wait for the store in memory.
	if more := peak[size] - peak[0]; more > 200<<20 {
		t.Errorf("%d MiB of output took %d MiB of memory", size>>20, more>>20)
	}
}
