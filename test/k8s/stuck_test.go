package k8s_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

func logTo(b *syncbuf.Buffer) Option { return Logger(slog.New(slog.NewTextHandler(b, nil))) }

// limit makes a quota, and returns when it is kept to.
func limit(t *testing.T, c *testcluster.Cluster, namespace, name string, what corev1.ResourceName, quantity string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	quotas := c.Client().CoreV1().ResourceQuotas(namespace)
	events, err := quotas.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	if _, err := quotas.Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{what: resource.MustParse(quantity)}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for event := range events.ResultChan() {
		if quota, ok := event.Object.(*corev1.ResourceQuota); ok && len(quota.Status.Used) > 0 {
			return
		}
	}
	t.Fatal("nobody counts what the quota limits")
}

// What never starts fails with the cluster's own words, its Job is deleted, and
// there was one line before.
func TestNeverStarts(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t)
	strict := c.Namespace(t)
	client := c.Client()
	limit(t, c, namespace, "small", corev1.ResourceLimitsMemory, "1Gi")
	label := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	if _, err := client.CoreV1().Namespaces().Patch(t.Context(), strict, "application/merge-patch+json", label, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		options []Option
		reason  executor.Reason
		says    string
		warns   bool
	}{
		{"no node", []Option{Memory("1Mi"), NodeSelector("planet", "mars")}, executor.Unschedulable, "node(s) didn't match Pod's node affinity/selector", false},
		{"too large", []Option{Memory("1Mi"), CPU("10k")}, executor.Unschedulable, "Insufficient cpu", false},
		{"quota", []Option{Memory("2Gi")}, executor.LaunchRejected, "exceeded quota: small", false},
		{"account", []Option{Namespace(strict), ServiceAccount("nobody")}, executor.LaunchRejected, `serviceaccount "nobody" not found`, true},
		{"security", []Option{Namespace(strict), HostPath("/x", "/x")}, executor.LaunchRejected, "violates PodSecurity", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			said, grace := &syncbuf.Buffer{}, 2*time.Second
			if test.warns {
				grace = 15 * time.Second // in which a busy machine gets to the line
			}
			w := start(t, e.With(append(test.options, StartGrace(grace), RoomGrace(2*time.Second), logTo(said))...), newCall())
			exit := await(t, w)
			failsWith(t, exit.Err, test.reason, test.says)
			if _, ok := jobIn(t, c, w.Handle()); ok {
				t.Error("its Job is still there")
			}
			if lines := strings.Count(said.String(), "workers cannot start yet"); test.warns && lines != 1 {
				t.Errorf("%d warnings:\n%s", lines, said)
			}
		})
	}
}

// Who waits for room waits as long as others of this process run: they make room.
func TestRoomGraceCountsFromTheLastThatRan(t *testing.T) {
	t.Parallel()
	e, c, namespace := simulated(t, RoomGrace(2*time.Second))
	inv, seen := newCall(), &stages{news: make(chan struct{}, 1)}
	inv.Tell = seen.tell
	other := start(t, e.With(ends(0, time.Hour)), inv)
	seen.await(t, executor.Running)
	w := start(t, e.With(NodeSelector("planet", "mars")), newCall())
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	if exit, err := w.Wait(ctx); err == nil {
		t.Errorf("it failed while another one ran: %v", exit.Err)
	}
	exits(t, c, namespace, isRunningSoon(t, c, other, ""), 0)
	await(t, other)
	failsWith(t, await(t, w).Err, executor.Unschedulable, "")
}

// A quota of Jobs lets them wait for each other, too.
func TestQuotaOfJobs(t *testing.T) {
	t.Parallel()
	said := &syncbuf.Buffer{}
	e, c, namespace := simulated(t, ends(0, 2*time.Second), RoomGrace(longest), TTL(0), logTo(said))
	limit(t, c, namespace, "few", "count/jobs.batch", "2")
	begun := time.Now()
	for _, w := range startMany(t, e, 3) {
		if exit := await(t, w); exit.Code != 0 || exit.Err != nil {
			t.Errorf("%d, %v", exit.Code, exit.Err)
		}
	}
	again := int(time.Since(begun) / (30 * time.Second))
	if n := strings.Count(said.String(), "Jobs cannot be created yet"); n < 1 || n > 1+again {
		t.Errorf("%d lines tell of the quota:\n%s", n, said)
	}
	for range 2 {
		start(t, e.With(NodeSelector("planet", "mars"), RoomGrace(-1)), newCall())
	}
	_, err := e.With(RoomGrace(3*time.Second)).Start(t.Context(), newCall())
	failsWith(t, err, executor.LaunchRejected, "exceeded quota: few")
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	e, _, _ := simulated(t)
	w := start(t, e.With(ends(0, time.Hour), Deadline(2*time.Second)), newCall())
	failsWith(t, await(t, w).Err, executor.DeadlineExceeded, "after 2 s")
}

// Workers that hold all the room wait for Jobs of their own: who runs them says so
// once, and so does each of them, for its Jobs.
func TestQuotaThatFitsParentsOnly(t *testing.T) {
	said := &syncbuf.Buffer{}
	e, c, namespace := simulated(t, ends(0, time.Hour), Memory("512Mi"), RoomGrace(-1), logTo(said))
	limit(t, c, namespace, "small", corev1.ResourceLimitsMemory, "1Gi")
	parents := startMany(t, e, 2)
	running := func() int {
		pods, err := c.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "status.phase=Running"})
		if err != nil {
			t.Fatal(err)
		}
		return len(pods.Items)
	}
	eventually(t, "parents run", func() bool { return running() == 2 })
	for _, parent := range parents {
		_, job, _ := strings.Cut(parent.Handle(), "/")
		t.Setenv("MOPS_K8S_NAMESPACE", namespace)
		t.Setenv("MOPS_K8S_JOB", job)
		t.Setenv("MOPS_K8S_FUNCTION", "k8s/parent@1")
		start(t, e, newCall())
	}
	says(t, said, "workers wait for Jobs of their own, and none of these finds room")
	says(t, said, "this worker of k8s/parent@1 (Job "+parents[1].Handle()+") holds room itself while it waits")
	if !strings.Contains(said.String(), "workers=2 running=2") || !strings.Contains(said.String(), "exceeded quota: small") {
		t.Error(said)
	}
}
