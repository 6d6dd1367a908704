package k8stest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A team writes its settings once, and programs say k8s.New().
func TestProgramThatSaysNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, func(w *Work) { w.Seconds = 3 })
	r.calls.Configured = true
	file := filepath.Join(r.calls.Place, "team.toml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
[k8s]
kubeconfig = %q
namespace = %q
image = %q
name_prefix = "team"
cpu = "10m"
memory = "64Mi"
run_as = "0:0"
retries = 1
limit = 1
ttl = "1d"

[k8s.host_paths]
%q = %q

[k8s.roots]
%q = %q

[k8s.labels]
cost-centre = "42"
`, r.cluster.Kubeconfig, r.calls.Namespace, r.calls.Image, there, r.calls.Place, "file://"+r.calls.Place, "file://"+there), 0o666); err != nil {
		t.Fatal(err)
	}
	r.expect(r.start("MOPS_CONFIG="+file, "KUBECONFIG=", "MOPS_PIPELINE=nightly", "MOPS_K8S_TTL=2h", "MOPS_K8S_USER=Ada Łęcka"))
	r.once()

	jobs, err := r.cluster.Client().BatchV1().Jobs(r.calls.Namespace).List(t.Context(), v1.ListOptions{
		LabelSelector: "mops.trilliant.health/user=Ada...cka,mops.trilliant.health/pipeline=nightly,mops.trilliant.health/program=k8stest.test,cost-centre=42",
	})
	if err != nil || len(jobs.Items) != 2 {
		t.Fatalf("%d Jobs with these labels, %v", len(jobs.Items), err)
	}
	first, second := jobs.Items[0], jobs.Items[1]
	if *first.Spec.TTLSecondsAfterFinished != 7200 || *first.Spec.BackoffLimit != 1 || first.Name[:5] != "team-" {
		t.Errorf("%+v", first)
	}
	// One after the other: the limit of the file holds.
	if second.CreationTimestamp.Before(&first.CreationTimestamp) {
		first, second = second, first
	}
	if between := second.CreationTimestamp.Sub(first.CreationTimestamp.Time); between < 3*time.Second {
		t.Errorf("the second began %v after the first, which takes 3 s", between)
	}
}
