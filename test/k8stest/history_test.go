package k8stest_test

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// place is where a call is kept.
func (r *rig) place(uri string) memo.Place {
	r.Helper()
	call, err := memokey.Parse(uri)
	if err != nil {
		r.Fatal(err)
	}
	store, err := blob.Open(context.Background(), r.root)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { store.Close() })
	return memo.Place{Store: store, Path: call.Path(), Key: call.Key}
}

// recorded is the record of the run that made a result.
func (r *rig) recorded(uri string) record.Run {
	r.Helper()
	header, err := r.place(uri).ResultHeader(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return header.Run
}

// A program learns from the runs of an earlier one how much memory a worker needs,
// and a call that needs more gets that all the same.
func TestMemoryFromHistory(t *testing.T) {
	t.Parallel()
	const usual, need = 512, 40 // MiB
	r := newRig(t, 20, func(w *Work) { w.MiB = need })
	r.expect(r.start("MOPS_K8S_MEMORY=512Mi"))

	r.calls.Works = []Work{{Name: "as usual", MiB: need}, {Name: "more", MiB: 4 * need}}
	learning := []string{"MOPS_K8S_MEMORY=512Mi", "MOPS_K8S_MEMORY_FROM_HISTORY=95", "MOPS_K8S_MEMORY_MIN=32Mi"}
	for _, report := range r.expect(r.start(learning...)) {
		if report.Outcome != mops.Computed {
			t.Errorf("%+v", report)
		}
		run := r.recorded(report.URI)
		peak, limit := run.PeakMemory>>20, run.MemoryLimit>>20
		t.Logf("%s: %d MiB of %d, %s", report.Work, peak, limit, run.MemoryFrom)
		if report.Work == "more" {
			if limit != usual || peak < 4*need || peak > usual || !strings.Contains(run.MemoryFrom, "an attempt ran out of") {
				t.Errorf("%+v", run)
			}
			continue
		}
		if limit < need || limit > usual/2 || peak < need || peak > limit || !strings.Contains(run.MemoryFrom, "95% of 20 earlier runs") {
			t.Errorf("%+v", run)
		}
	}
	jobs, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(t.Context(), v1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	learned := 0
	for _, job := range jobs.Items {
		if strings.Contains(job.Annotations["mops.trilliant.health/memory-from"], "95% of 20 earlier runs") {
			learned++
		}
	}
	if learned != 2 {
		t.Errorf("%d of %d Jobs say that their memory was learned", learned, len(jobs.Items))
	}
}
