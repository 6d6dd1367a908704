package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestSimulatedJobs(t *testing.T) {
	c := Simulated(t)
	namespace := c.Namespace(t)
	start := time.Now()
	for i := range 20 {
		if _, err := c.Client().BatchV1().Jobs(namespace).Create(t.Context(), job(fmt.Sprint("job-", i), "any"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if end := wait(t, c, namespace, fmt.Sprint("job-", i)); end.Type != batchv1.JobComplete {
			t.Errorf("job %d: %v", i, end)
		}
	}
	t.Logf("20 jobs in %v", time.Since(start))
}

func TestSimulatedExitCode(t *testing.T) {
	c := Simulated(t)
	failing := job("failing", "any")
	failing.Spec.Template.Annotations = map[string]string{AnnotationExitCode: "46", AnnotationDuration: "100ms"}
	if end := run(t, c, c.Namespace(t), failing); end.Reason != batchv1.JobReasonPodFailurePolicy {
		t.Errorf("it ended with %v", end)
	}
}

func TestRestartAPIServer(t *testing.T) {
	c := Simulated(t)
	namespace := c.Namespace(t)
	if err := c.StopAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := c.serves(ctx); err == nil {
		t.Error("it serves although it was stopped")
	}
	if err := c.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if end := run(t, c, namespace, job("after", "any")); end.Type != batchv1.JobComplete {
		t.Errorf("it ended with %v", end)
	}
}
