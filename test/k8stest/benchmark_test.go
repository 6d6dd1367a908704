package k8stest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/internal/testkit/ratio"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// A call on the cluster, from memo key to result and with its log on the screen,
// against a bare Job of the same image that does nothing: created, and watched
// until it is complete.
func BenchmarkCall(b *testing.B) {
	c := cluster.Real(b)
	place := b.TempDir()
	calls := Calls{Namespace: c.Namespace(b), Image: pushed(b, c), Place: place}
	b.Setenv("KUBECONFIG", c.Kubeconfig)
	env, err := mops.New(b.Context(), mops.Isolated(), mops.Root("file://"+place+"/root"), mops.CacheDir(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { env.Close() })
	ctx, n := env.Context(b.Context()), 0
	work := doWork.With(mops.On(calls.executor()))
	ours := func() error {
		n++
		_, err := work.Call(ctx, Work{Name: fmt.Sprint("w", n)})
		return err
	}
	if err := ours(); err != nil { // the image is on the node then
		b.Fatal(err)
	}
	job := bareJob(b, c, calls.Namespace)
	ratio.Turns(b, 1, 4, ours, func() error { return runBare(b.Context(), c.Client(), job) })
	b.ReportMetric(1.15, "budget")
}

// bareJob is the Job of a call, but that its program is no worker.
func bareJob(b *testing.B, c *cluster.Cluster, namespace string) *batchv1.Job {
	b.Helper()
	list, err := c.Client().BatchV1().Jobs(namespace).List(b.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		b.Fatal(len(list.Items), err)
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "bare-"}, Spec: list.Items[0].Spec}
	job.Spec.Selector = nil
	job.Spec.Template.Labels = nil
	container := &job.Spec.Template.Spec.Containers[0]
	container.Env, container.Args = nil, []string{"-test.run=^$"}
	return job
}

// runBare creates a Job and watches it until it is complete.
func runBare(ctx context.Context, client kubernetes.Interface, job *batchv1.Job) error {
	jobs := client.BatchV1().Jobs(job.Namespace)
	created, err := jobs.Create(ctx, job, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	events, err := jobs.Watch(ctx, metav1.SingleObject(created.ObjectMeta))
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if job, ok := event.Object.(*batchv1.Job); ok {
			for _, condition := range job.Status.Conditions {
				if condition.Type == batchv1.JobComplete && condition.Status == corev1.ConditionTrue {
					return nil
				}
			}
		}
	}
	return errors.New("the watch ended before the Job")
}
