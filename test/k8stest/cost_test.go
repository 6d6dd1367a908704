package k8stest_test

import (
	"context"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	runsof "github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// newestRun is what the program did that ran last.
func (r *rig) newestRun() runsof.State {
	r.Helper()
	store, err := blob.Open(context.Background(), r.root)
	if err != nil {
		r.Fatal(err)
	}
	defer store.Close()
	runs, err := runsof.List(r.Context(), store)
	if err != nil || len(runs) == 0 {
		r.Fatalf("%d runs, %v", len(runs), err)
	}
	newest := slices.MaxFunc(runs, func(a, b runsof.Entry) int { return a.Written.Compare(b.Written) })
	run, err := runsof.Read(r.Context(), store, newest.ID)
	if err != nil {
		r.Fatal(err)
	}
	return run.State
}

// What a pod asked for is in the record of its result, so that hits of another
// program say what they saved: GPUs, and that they were on spot nodes, too. Calls
// that share a pod have a part of it each.
func TestHitsSayWhatTheySaved(t *testing.T) {
	t.Parallel()
	for name, side := range map[string]int{"alone": 0, "of a pack": 2} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 2, func(w *Work) { w.Seconds = 1 })
			if side > 0 {
				r.packed(side)
			}
			if err := r.cluster.AdvertiseGPU(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			label := []byte(`{"metadata":{"labels":{"cloud.google.com/gke-spot":"true"}}}`)
			if _, err := r.cluster.Client().CoreV1().Nodes().Patch(t.Context(), r.cluster.NodeName(), types.MergePatchType, label, v1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			env := []string{"MOPS_K8S_GPU=1", "MOPS_K8S_ONLY_SPOT=true", "MOPS_K8S_CPU=100m", "MOPS_K8S_MEMORY=256Mi"}
			part := 1 / float64(max(side, 1))
			for _, report := range r.expect(r.start(env...)) {
				run := r.recorded(report.URI)
				if run.GPUs != part || run.CPUs != 0.1*part || !run.Spot || run.Executor != "k8s" {
					t.Errorf("%+v", run)
				}
			}
			used := r.newestRun().Total().Used
			for _, report := range r.expect(r.start(env...)) {
				if report.Outcome != mops.Hit {
					t.Errorf("%+v", report)
				}
			}
			saved := r.newestRun().Total().Saved
			t.Logf("used %+v, saved %+v", used, saved)
			if len(used) != 1 || len(saved) != 1 || used[0] != saved[0] || saved[0].GPUSeconds < 2*part || !saved[0].Spot ||
				saved[0].MemoryGiBSeconds != saved[0].WallSeconds*part/4 {
				t.Errorf("used %+v, saved %+v", used, saved)
			}
		})
	}
}
