package source

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// BenchmarkInAndOut compares an argument and a result of 1 GiB (16 MiB with
// -short) with the bare work, copy_file_range beside SHA-256, once for each of
// the two. Each round does both, and the median of the ratios counts. The budget
// is 1.25 for both together, and 64 MiB of resident memory.
func BenchmarkInAndOut(b *testing.B) {
	size := int64(1 << 30)
	if testing.Short() {
		size = 16 << 20
	}
	dir := b.TempDir()
	source := filepath.Join(dir, "source")
	bigFile(b, source, size)
	store := localStore(b)
	var in, out, both []float64
	for i := 0; b.Loop(); i++ {
		f := settled(newFilesWith(b, Options{})) // knows no hashes yet
		round := strconv.Itoa(i)
		outDir := filepath.Join(dir, "out"+round)
		result := filepath.Join(outDir, "result")
		if err := os.MkdirAll(outDir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.Link(source, result); err != nil { // no work of ours
			b.Fatal(err)
		}
		bare := timed(b, source, func() error { return sideBySide(source, filepath.Join(dir, "bare"+round)) })
		argument := File(source)
		tookIn := timed(b, source, func() error { return f.Resolve(b.Context(), []*Ref{argument}) })
		tookIn += timed(b, source, func() error {
			locations, err := f.Upload(b.Context(), store, []*Ref{argument}, 0)
			if err != nil {
				return err
			}
			return readBound(b, f, store, argument, locations)
		})
		returned := File(result)
		tookOut := timed(b, source, func() error {
			locations, err := f.Publish(b.Context(), store, callPrefix, "run"+round, outDir, []*Ref{returned}, 0)
			if err != nil {
				return err
			}
			return readBound(b, f, store, returned, locations)
		})
		in = append(in, tookIn.Seconds()/bare.Seconds())
		out = append(out, tookOut.Seconds()/bare.Seconds())
		both = append(both, (tookIn+tookOut).Seconds()/2/bare.Seconds())
		b.Logf("bare %.2fs in %.2fs out %.2fs", bare.Seconds(), tookIn.Seconds(), tookOut.Seconds())
		b.StopTimer()
		for _, path := range []string{filepath.Join(dir, "bare"+round), result} {
			os.Remove(path)
		}
		if err := store.Delete(b.Context(), BlobKey(argument.Hash())); err != nil {
			b.Fatal(err)
		}
		store.Delete(b.Context(), callPrefix+"/out/run"+round+"/result")
		b.StartTimer()
	}
	b.ReportMetric(median(in), "in/bare")
	b.ReportMetric(median(out), "out/bare")
	b.ReportMetric(median(both), "both/bare")
	b.ReportMetric(float64(peakMemory(b))/(1<<20), "MiB-resident")
}

// readBound opens stored content, as the other side does: nothing needs to be
// hashed or copied again.
func readBound(b *testing.B, f *Files, store *blob.Store, r *Ref, locations []Location) error {
	file, err := bound(b, f, store, r, locations).Open(b.Context())
	if err != nil {
		return err
	}
	return file.Close()
}

// timed measures one step. In a virtual machine pages that were never used, or
// not for long, cost several times as much as those that were freed a moment
// ago. So that all steps start alike, a file of the same size goes before each.
func timed(b *testing.B, source string, do func() error) time.Duration {
	b.Helper()
	warm := source + ".warm"
	if err := copyFile(source, warm); err != nil {
		b.Fatal(err)
	}
	if err := os.Remove(warm); err != nil {
		b.Fatal(err)
	}
	started := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}

// sideBySide copies a file in the kernel while it hashes it.
func sideBySide(from, to string) error {
	copied := make(chan error, 1)
	go func() { copied <- copyFile(from, to) }()
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.CopyBuffer(sha256.New(), struct{ io.Reader }{file}, make([]byte, 256<<10))
	if copyErr := <-copied; err == nil {
		err = copyErr
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

func bigFile(t testing.TB, path string, size int64) {
	t.Helper()
	file := must(os.Create(path))(t)
	defer file.Close()
	block := []byte(pattern(1 << 20))
	for i := int64(0); i < size; i += int64(len(block)) {
		copy(block, fmt.Sprintf("%016x", i))
		if _, err := file.Write(block[:min(int64(len(block)), size-i)]); err != nil {
			t.Fatal(err)
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// peakMemory is the most that was resident, in bytes; 0 where the system does
// not tell. See proc_pid_status(5).
func peakMemory(t testing.TB) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}
