package k8stest_test

import (
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/records/usage"
)

// The samples of what a call uses in a pod show the memory from when it has that, and the
// time of its CPU: those of its container, or, where calls share one, of its process.
func TestSamplesInAPod(t *testing.T) {
	t.Parallel()
	const mib, limit = 200, 1024
	uses := func(w *Work) { w.Seconds, w.MiB, w.Uses = 10, mib, 6 } // the first sample comes after 2 s
	r := newRig(t, 2, uses)
	t.Run("alone", func(t *testing.T) { r.samples(t, mib, limit) })
	r = newRig(t, 2, uses).packed(2)
	t.Run("packed", func(t *testing.T) { r.samples(t, mib, limit) })
}

func (r *rig) samples(t *testing.T, mib, limit int64) {
	for _, report := range r.expect(r.start("MOPS_K8S_MEMORY=1024Mi")) {
		place := r.place(report.URI)
		result, err := place.ResultHeader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := usage.Read(t.Context(), place.Store, place.Usage(result.RunID))
		if err != nil {
			t.Error(err)
			continue
		}
		t.Logf("%s: %+v, peak %d MiB of %d", report.Work, s, result.Run.PeakMemory>>20, result.Run.MemoryLimit>>20)
		last := len(s.Seconds) - 1
		if most := slices.Max(s.Memory) >> 20; s.Memory[0]>>20 >= mib || most < mib || most > limit {
			t.Errorf("%s: memory was %d bytes at first and %d MiB at most", report.Work, s.Memory[0], most)
		}
		// A busy machine gives it little of a CPU.
		if s.Seconds[last] < 15 || s.CPU[last] < 0.1 || s.CPU[last] <= s.CPU[0] {
			t.Errorf("%s: after %v s it had used %v s of CPU", report.Work, s.Seconds[last], s.CPU[last])
		}
	}
}
