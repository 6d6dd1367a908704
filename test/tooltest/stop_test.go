package tooltest

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Jobs are told apart by what they wait for, and those that are stopped are gone with
// their pods when the command returns.
func TestStopOnACluster(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")
	r.grant("--user", r.user)
	quotas := r.Client().CoreV1().ResourceQuotas(r.namespace)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "two"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("2")},
	}}
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r.eventually("somebody counts pods", func() bool {
		quota, err := quotas.Get(t.Context(), quota.Name, metav1.GetOptions{})
		return err == nil && len(quota.Status.Used) > 0
	})
	counted := func(want string) {
		t.Helper()
		r.eventually("the line says "+want, func() bool {
			out, _ := r.run(0, "k8s", "jobs")
			return strings.HasSuffix(out, "\n"+want+"\n")
		})
	}
	r.run(0, "k8s", "launch", "--detach", "--name", "runs", reference, "--", "wait")
	counted("1 Job: 1 running")
	r.run(0, "k8s", "launch", "--detach", "--name", "pending", "--node-selector", "planet=mars", reference, "--", "wait")
	counted("2 Jobs: 1 pending, 1 running")
	r.run(0, "k8s", "launch", "--detach", "--name", "queued", reference, "--", "wait")
	counted("3 Jobs: 1 queued, 1 pending, 1 running")
	if out, _ := r.run(0, "k8s", "stop", "--state", "queued,pending"); !strings.HasSuffix(out, "2 Jobs: 1 queued, 1 pending\nNothing was stopped: --yes stops them.\n") || len(r.left()) != 5 {
		t.Errorf("%s%q", out, r.left())
	}
	if out, _ := r.run(0, "k8s", "stop", "--state", "queued,pending", "--yes"); out != "Stopped 2 Jobs: 1 queued, 1 pending\n" {
		t.Error(out)
	}
	if left := r.left(); len(left) != 2 {
		t.Errorf("%q", left)
	}
	if out, _ := r.run(0, "k8s", "stop", "runs"); out != "Stopped 1 Job: 1 running\n" || len(r.left()) != 0 {
		t.Errorf("%s%q", out, r.left())
	}
}
