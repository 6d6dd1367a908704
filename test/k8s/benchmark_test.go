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

// Many Jobs at once against a bare client-go program that creates the same ones, each
// from a goroutine of its own and without a limit of the client's, and watches them by
// one informer. An observer who is neither takes the time from the first creation to
// the last end. The ratio is that of the rates, so more is better.
func BenchmarkJobs(b *testing.B) {
	b.Run("simulated", func(b *testing.B) {
		c := testcluster.Simulated(b)
		compare(b, c, New(Kubeconfig(c.Kubeconfig), Image("program:1"), Logs(0)), 400, 5)
	})
	b.Run("real", func(b *testing.B) {
		c, image := real(b)
		compare(b, c, New(Kubeconfig(c.Kubeconfig), Image(image), CPU("10m"), Memory("32Mi"), Logs(0), does("lines")), 100, 3)
	})
}

// compare lets both sides run so many Jobs by turns, in so many rounds, or, with
// MOPS_SOAK=1, twice as many.
func compare(b *testing.B, c *testcluster.Cluster, e *Executor, jobs, rounds int) {
	if os.Getenv("MOPS_SOAK") == "1" {
		rounds *= 2
	}
	client := bareClient(b, c)
	namespace := c.Namespace(b)
	e = e.With(Namespace(namespace))
	measure := func(run func(context.Context, *Executor, kubernetes.Interface, []executor.Invocation) error) float64 {
		calls := make([]executor.Invocation, jobs)
		for i := range calls {
			calls[i] = newCall()
			calls[i].Env = nil
		}
		seen := observe(b, client, namespace, jobs)
		if err := run(b.Context(), e, client, calls); err != nil {
			b.Fatal(err)
		}
		took := seen()
		tidy(b, client, namespace)
		return float64(jobs) / took.Seconds()
	}
	var ratios, ours, theirs []float64
	measure(startAndWait) // the image is on the node then, and all is warm
	for b.Loop() {
		for round := range rounds {
			var o, t float64
			if round%2 == 0 { // neither pays for the other
				o, t = measure(startAndWait), measure(bareJobs)
			} else {
				t, o = measure(bareJobs), measure(startAndWait)
			}
			b.Logf("round %d: %.1f Jobs/s, bare %.1f: %.2f", round, o, t, o/t)
			ratios, ours, theirs = append(ratios, o/t), append(ours, o), append(theirs, t)
		}
	}
	b.ReportMetric(0, "ns/op") // of all rounds: says nothing
	b.ReportMetric(middle(ours), "mops-jobs/s")
	b.ReportMetric(middle(theirs), "bare-jobs/s")
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(0.95, "budget")
}

// middle is the median.
func middle(values []float64) float64 {
	slices.Sort(values)
	return (values[len(values)/2] + values[(len(values)-1)/2]) / 2
}

// bareClient is client-go as a good program has it: without limits of its own, and
// with protobuf.
func bareClient(b *testing.B, c *testcluster.Cluster) kubernetes.Interface {
	config := c.RESTConfig()
	config.QPS, config.ContentType = -1, "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	return client
}

// observe returns a function that waits until so many Jobs are complete, and says
// how long that took from when the first was there.
func observe(b *testing.B, client kubernetes.Interface, namespace string, jobs int) (seen func() time.Duration) {
	var (
		once     sync.Once
		first    time.Time
		complete = make(chan time.Time, jobs)
	)
	stop := watchJobs(client, namespace, func() { once.Do(func() { first = time.Now() }) }, func() { complete <- time.Now() })
	return func() time.Duration {
		defer stop()
		var last time.Time
		for range jobs {
			select {
			case last = <-complete:
			case <-b.Context().Done():
				b.FailNow()
			}
		}
		return last.Sub(first)
	}
}

// watchJobs calls one function for each Job that appears, and another when it is
// complete, from one goroutine.
func watchJobs(client kubernetes.Interface, namespace string, added, completed func()) (stop func()) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	informer := factory.Batch().V1().Jobs().Informer()
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails in informers that were stopped
		AddFunc: func(any) { added() },
		UpdateFunc: func(before, after any) {
			if !is(before.(*batchv1.Job), batchv1.JobComplete) && is(after.(*batchv1.Job), batchv1.JobComplete) {
				completed()
			}
		},
	})
	done := make(chan struct{})
	factory.Start(done)
	cache.WaitForCacheSync(done, informer.HasSynced)
	return func() {
		close(done)
		factory.Shutdown()
	}
}

func startAndWait(ctx context.Context, e *Executor, _ kubernetes.Interface, calls []executor.Invocation) error {
	return allAtOnce(calls, func(_ int, call executor.Invocation) error {
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
func bareJobs(ctx context.Context, e *Executor, client kubernetes.Interface, calls []executor.Invocation) error {
	jobs := make([]*batchv1.Job, len(calls))
	for i, call := range calls {
		jobs[i] = manifest(ctx, e, call)
	}
	var all sync.WaitGroup
	all.Add(len(calls))
	defer watchJobs(client, jobs[0].Namespace, func() {}, all.Done)()
	err := allAtOnce(calls, func(i int, _ executor.Invocation) error {
		_, err := client.BatchV1().Jobs(jobs[i].Namespace).Create(ctx, jobs[i], metav1.CreateOptions{})
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

// allAtOnce does something for all calls side by side.
func allAtOnce(calls []executor.Invocation, do func(int, executor.Invocation) error) error {
	var running sync.WaitGroup
	failed := make(chan error, len(calls))
	for i, call := range calls {
		running.Go(func() {
			if err := do(i, call); err != nil {
				failed <- err
			}
		})
	}
	running.Wait()
	close(failed)
	return <-failed
}

// tidy deletes all Jobs and returns when their pods are gone, too, so that each turn
// finds the cluster as the one before did.
func tidy(b *testing.B, client kubernetes.Interface, namespace string) {
	b.Helper()
	background := metav1.DeletePropagationBackground
	if err := client.BatchV1().Jobs(namespace).DeleteCollection(b.Context(), metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{}); err != nil {
		b.Fatal(err)
	}
	for {
		pods, err := client.CoreV1().Pods(namespace).List(b.Context(), metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			b.Fatal(err)
		}
		if len(pods.Items) == 0 {
			return
		}
		time.Sleep(200 * time.Millisecond) // nothing tells that all are gone
	}
}
