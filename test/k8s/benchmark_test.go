package k8s_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/TrilliantHealth/mops-go/executor"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// Jobs that are created and collected, against a bare client-go program that
// creates the same ones and watches them by one informer. The ratio is that of
// the rates, so more is better.
func BenchmarkJobs(b *testing.B) {
	jobs, rounds := 100, 4
	if os.Getenv("MOPS_SOAK") == "1" {
		jobs, rounds = 1000, 2
	}
	c := testcluster.Simulated(b)
	e := New(Kubeconfig(c.Kubeconfig), Image("program:1"), Logs(0))
	measure := func(run func(context.Context, string, *Executor, []executor.Invocation) error) float64 {
		namespace := c.Namespace(b)
		calls := make([]executor.Invocation, jobs)
		for i := range calls {
			calls[i] = newCall()
		}
		begun := time.Now()
		if err := run(b.Context(), namespace, e.With(Namespace(namespace)), calls); err != nil {
			b.Fatal(err)
		}
		rate := float64(jobs) / time.Since(begun).Seconds()
		settle(b, c, namespace, jobs)
		return rate
	}
	bare := func(ctx context.Context, namespace string, e *Executor, calls []executor.Invocation) error {
		return bareJobs(ctx, c, namespace, e, calls)
	}
	var ratios, ours, theirs []float64
	for b.Loop() {
		for round := range rounds {
			var o, t float64
			if round%2 == 0 { // who comes first finds the server smaller
				o, t = measure(startAndWait), measure(bare)
			} else {
				t, o = measure(bare), measure(startAndWait)
			}
			ratios, ours, theirs = append(ratios, o/t), append(ours, o), append(theirs, t)
		}
	}
	b.ReportMetric(0, "ns/op") // of all rounds: says nothing
	b.ReportMetric(middle(ours), "mops-jobs/s")
	b.ReportMetric(middle(theirs), "bare-jobs/s")
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(0.9, "budget")
}

// middle is the median.
func middle(values []float64) float64 {
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

func startAndWait(ctx context.Context, _ string, e *Executor, calls []executor.Invocation) error {
	return inParallel(calls, len(calls), func(call executor.Invocation) error {
		w, err := e.Start(ctx, call)
		if err != nil {
			return err
		}
		exit, err := w.Wait(ctx)
		if err == nil && exit.Code != executor.ExitOK {
			err = fmt.Errorf("%s ended with %d: %v", w.Handle(), exit.Code, exit.Err)
		}
		return err
	})
}

// bareJobs is the program without mops.
func bareJobs(ctx context.Context, c *testcluster.Cluster, namespace string, e *Executor, calls []executor.Invocation) error {
	config := c.RESTConfig()
	config.QPS, config.ContentType = -1, "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Add(len(calls))
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Batch().V1().Jobs().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(before, after any) {
		if !is(before.(*batchv1.Job), batchv1.JobComplete) && is(after.(*batchv1.Job), batchv1.JobComplete) {
			all.Done()
		}
	}})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer factory.Shutdown()
	defer close(stop)
	factory.Start(stop)
	cache.WaitForCacheSync(stop, informer.HasSynced)
	err = inParallel(calls, 32, func(call executor.Invocation) error { // at once as many as the executor
		_, err := client.BatchV1().Jobs(namespace).Create(ctx, manifest(ctx, e, call), metav1.CreateOptions{})
		return err
	})
	if err == nil {
		all.Wait()
	}
	return err
}

// manifest is the Job that the executor would create.
func manifest(ctx context.Context, e *Executor, call executor.Invocation) (made *batchv1.Job) {
	e.With(Transform(func(job *batchv1.Job) error {
		made = job
		return errors.New("it is only wanted to see")
	})).Start(ctx, call)
	return made
}

// is reports whether a Job has a condition.
func is(job *batchv1.Job, kind batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == kind && c.Status == corev1.ConditionTrue })
}

// inParallel does something for all, so many at once.
func inParallel(calls []executor.Invocation, atOnce int, do func(executor.Invocation) error) error {
	var (
		running sync.WaitGroup
		places  = make(chan struct{}, atOnce)
		failed  = make(chan error, len(calls))
	)
	for _, call := range calls {
		running.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if err := do(call); err != nil {
				failed <- err
			}
		})
	}
	running.Wait()
	close(failed)
	return <-failed
}

// settle waits until the cluster has done with the Jobs, so that the next turn
// finds it idle.
func settle(b *testing.B, c *testcluster.Cluster, namespace string, jobs int) {
	b.Helper()
	for {
		list, err := c.Client().BatchV1().Jobs(namespace).List(b.Context(), metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			b.Fatal(err)
		}
		complete := 0
		for i := range list.Items {
			if is(&list.Items[i], batchv1.JobComplete) {
				complete++
			}
		}
		if complete == jobs {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}
