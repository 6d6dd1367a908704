package benchmark

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/TrilliantHealth/mops-go"
)

// table takes about 200 MiB as CBOR.
type table map[string][]float64

func newTable() table {
	t := table{}
	for name := range 26 {
		column := make([]float64, 200<<20/26/9) // a float64 takes 9 bytes
		for i := range column {
			column[i] = rand.Float64()
		}
		t[string(rune('a'+name))] = column
	}
	return t
}

type cell struct {
	Table mops.Shared[table]
	Row   int
}

var pick = mops.Define("benchmark/pick", func(ctx context.Context, at cell) (float64, error) {
	t, err := at.Table.Get(ctx)
	if err != nil {
		return 0, err
	}
	return t["m"][at.Row], nil
})

// A thousand calls that share a table of 200 MiB, against a thousand without it
// and what must be done with the table once: encode, hash, write, read and
// decode it. Memory is what each holds at its peak, the caller's table left out.
func BenchmarkShared(b *testing.B) {
	const calls = 1000
	shared := newTable()
	inputs := make([]input, calls)
	for i := range inputs {
		inputs[i] = numbered(i)
	}
	ours := func() {
		ctx, _ := environment(b)
		cells := make([]cell, calls)
		in := mops.Share(shared)
		for i := range cells {
			cells[i] = cell{in, i}
		}
		must(pick.All(ctx, cells))
	}
	encoding := must(cbor.CoreDetEncOptions().EncMode())
	decoding := must(cbor.DecOptions{MaxArrayElements: 1 << 30}.DecMode()) // by default too few
	bare := func() {
		ctx, _ := environment(b)
		must(small.All(ctx, inputs))
		path := b.TempDir() + "/table"
		data := must(encoding.Marshal(shared))
		must(sha256.Sum256(data), os.WriteFile(path, data, 0o644))
		data = nil
		var read table
		if err := decoding.Unmarshal(must(os.ReadFile(path)), &read); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		took, peak := measured(ours)
		bareTook, barePeak := measured(bare)
		b.ReportMetric(took.Seconds(), "mops-s")
		b.ReportMetric(bareTook.Seconds(), "bare-s")
		b.ReportMetric(took.Seconds()/bareTook.Seconds(), "ratio")
		b.ReportMetric(1.2, "budget")
		b.ReportMetric(float64(peak)/(1<<20), "mops-MiB-peak")
		b.ReportMetric(float64(barePeak)/(1<<20), "bare-MiB-peak")
	}
	b.ReportMetric(0, "ns/op") // of both
}

// measured is the time that do takes, and the memory at its peak beyond what is
// there before, in bytes.
func measured(do func()) (took time.Duration, peak int64) {
	debug.FreeOSMemory()
	before := resident()
	must(0, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)) // proc_pid_clear_refs(5): begin anew
	started := time.Now()
	do()
	return time.Since(started), memory("VmHWM:") - before
}
