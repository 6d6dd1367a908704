package k8s_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/image"
	. "github.com/TrilliantHealth/mops-go/k8s"
	testcluster "github.com/TrilliantHealth/mops-go/test/cluster"
)

// onReal is an executor in a new namespace of the real cluster, whose workers are
// testdata/worker.
func onReal(t *testing.T, options ...Option) (*Executor, *testcluster.Cluster, string) {
	t.Helper()
	c, image := real(t)
	namespace := c.Namespace(t)
	return New(append([]Option{Kubeconfig(c.Kubeconfig), Namespace(namespace), Image(image), StopGrace(time.Second)}, options...)...), c, namespace
}

// does makes workers of testdata/worker do something.
func does(what string, variables ...string) Option {
	options := []Option{Env("MOPS_TEST_WORKER", what)}
	for i := 0; i < len(variables); i += 2 {
		options = append(options, Env("MOPS_TEST_WORKER_"+variables[i], variables[i+1]))
	}
	return Options(options...)
}

// run runs a worker to its end, and returns what it printed, too.
func run(t *testing.T, e *Executor, inv executor.Invocation) (executor.Worker, executor.Exit, string) {
	t.Helper()
	var printed bytes.Buffer
	inv.Log = func(chunk []byte) { printed.Write(chunk) }
	w := start(t, e, inv)
	exit := await(t, w)
	return w, exit, printed.String()
}

// isRunningSoon waits until a pod of a worker runs, another than a former one, and
// returns its name.
func isRunningSoon(t *testing.T, c *testcluster.Cluster, w executor.Worker, former string) string {
	t.Helper()
	namespace, job, _ := strings.Cut(w.Handle(), "/")
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	events, err := c.Client().CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: "job-name=" + job})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && runs(pod) && pod.Name != former {
			return pod.Name
		}
	}
	t.Fatal("its pod did not run")
	return ""
}

// runs reports whether a pod's container runs.
func runs(pod *corev1.Pod) bool {
	statuses := pod.Status.ContainerStatuses
	return len(statuses) == 1 && statuses[0].State.Running != nil
}

func TestWorkersKnowTheirPlace(t *testing.T) {
	t.Parallel()
	e, c, namespace := onReal(t, does("environment"), CPU("100m"), CPULimit("1500m"), Memory("64Mi"), Env("ODD", "$(HOME) $$ %"))
	inv := newCall()
	w, exit, printed := run(t, e, inv)
	if exit.Err != nil {
		t.Fatal(exit.Err)
	}
	_, job, _ := strings.Cut(w.Handle(), "/")
	for _, want := range []string{
		"MOPS_K8S_JOB=" + job, "MOPS_K8S_NAMESPACE=" + namespace, "MOPS_K8S_POD=" + job + "-", "MOPS_K8S_NODE=" + c.NodeName(),
		"MOPS_K8S_CPU_REQUEST=100\n", "MOPS_K8S_CPU_LIMIT=1500\n", "MOPS_K8S_MEMORY_REQUEST=67108864\n", "MOPS_K8S_MEMORY_LIMIT=67108864\n",
		"GOMEMLIMIT=58982KiB\n", "MOPS_CACHE=/tmp/mops\n", "ODD=$(HOME) $$ %\n", inv.Env[0] + "\n",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not in its environment:\n%s", want, printed)
		}
	}
}

// Nodes take their own image from an index of several platforms.
func TestImageOfSeveralPlatforms(t *testing.T) {
	t.Parallel()
	e, c, _ := onReal(t, does("environment"), Memory("64Mi"))
	options := []image.Option{image.Insecure(), image.Platforms("linux/amd64", "linux/arm64")}
	for _, architecture := range []string{"amd64", "arm64"} {
		path := filepath.Join(t.TempDir(), "worker-"+architecture)
		build := exec.Command("go", "build", "-o", path, "./testdata/worker")
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		options = append(options, image.Binary(path))
	}
	_, exit, printed := run(t, e.With(ImageFrom(image.FromSelf(c.Registry+"/index", options...))), newCall())
	if exit.Err != nil || !strings.Contains(printed, "MOPS_K8S_IMAGE_PLATFORMS=linux/amd64 linux/arm64\n") {
		t.Errorf("%v\n%s", exit.Err, printed)
	}
}

// A worker that runs out of memory is no use to try again as it is. With more, it is.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	e, c, _ := onReal(t, does("eat", "BYTES", "100000000"), Memory("32Mi"), Env("GOMEMLIMIT", "off"))
	inv := newCall()
	var failed []executor.Reason
	for ; len(failed) == 0 || e.MayRetry(failed); failed = append(failed, executor.OOMKilled) {
		inv.Attempt, inv.Failed = len(failed)+1, failed
		w, exit, _ := run(t, e, inv)
		job, ok := jobIn(t, c, w.Handle())
		limit := job.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]
		if !ok || job.Annotations["mops.trilliant.health/memory"] != limit.String() {
			t.Errorf("it had %s, its Job says %q", limit.String(), job.Annotations["mops.trilliant.health/memory"])
		}
		if exit.Err == nil {
			if limit.String() != "128Mi" {
				t.Errorf("it succeeded with %s", limit.String())
			}
			return
		}
		failsWith(t, exit.Err, executor.OOMKilled, limit.String())
		if job.Status.Failed != 1 {
			t.Errorf("%d pods failed in one Job", job.Status.Failed)
		}
	}
	t.Errorf("it is not tried again after %v", failed)
}

// What cannot start fails with the cluster's message, and its Job is deleted.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	e, c, _ := onReal(t, StartGrace(3*time.Second), RoomGrace(3*time.Second))
	refuses := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "who are you?", http.StatusForbidden) })}
	listener := c.Listen(t)
	go refuses.Serve(listener)
	t.Cleanup(func() { refuses.Close() })
	for _, test := range []struct {
		name   string
		option Option
		reason executor.Reason
		says   string
	}{
		{"no such image", Image(c.Registry + "/nothing:1"), executor.ImagePull, "not found"},
		{"registry refuses", Image(listener.Addr().String() + "/program:1"), executor.ImagePull, "403 Forbidden"},
		{"no image's name", Image("NOT AN IMAGE"), executor.ImagePull, "InvalidImageName"},
		{"never pulled", Options(Image(c.Registry+"/nothing:1"), PullPolicy(corev1.PullNever)), executor.ImagePull, "ErrImageNeverPull"},
		{"no room", CPU("1000"), executor.Unschedulable, "Insufficient cpu"},
		{"config map", EnvFromConfigMap("nothing"), executor.NotStarted, `configmap "nothing" not found`},
		{"secret", SecretEnv("A", "nothing", "key"), executor.NotStarted, `secret "nothing" not found`},
		{"claim", Claim("/data", "nothing"), executor.Unschedulable, `persistentvolumeclaim "nothing" not found`},
		{"volume", Volume("/data", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "nothing"}}), executor.NotStarted, `secret "nothing" not found`},
		{"program", Transform(func(job *batchv1.Job) error {
			job.Spec.Template.Spec.Containers[0].Command = []string{"/nothing"}
			return nil
		}), executor.NotStarted, "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, e.With(test.option), newCall())
			exit := await(t, w)
			failsWith(t, exit.Err, test.reason, test.says)
			if job, ok := jobIn(t, c, w.Handle()); ok && !is(job, batchv1.JobFailed) {
				t.Error("its Job is still there")
			}
		})
	}
}

// What befalls a worker while it runs.
func TestBefalls(t *testing.T) {
	t.Parallel()
	e, c, namespace := onReal(t, does("lines", "LINES", "600 1s"))
	pods := c.Client().CoreV1().Pods(namespace)
	for _, test := range []struct {
		name   string
		option Option
		does   func(t *testing.T, w executor.Worker, pod string) error // while it runs; nil: nothing
		reason executor.Reason                                         // "": it is tried again by the Job
		says   string
	}{
		{"its pod is deleted", Retries(0), func(t *testing.T, _ executor.Worker, pod string) error {
			return pods.Delete(t.Context(), pod, metav1.DeleteOptions{})
		}, executor.Signalled, "its pod was deleted"},
		{"its pod is deleted, and it may be tried again", Retries(1), func(t *testing.T, _ executor.Worker, pod string) error {
			return pods.Delete(t.Context(), pod, metav1.DeleteOptions{})
		}, "", ""},
		{"its node is drained", Retries(0), func(t *testing.T, _ executor.Worker, pod string) error {
			return pods.EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: pod}})
		}, "", ""},
		{"its Job is deleted", nil, func(t *testing.T, w executor.Worker, _ string) error {
			_, job, _ := strings.Cut(w.Handle(), "/")
			background := metav1.DeletePropagationBackground
			return c.Client().BatchV1().Jobs(namespace).Delete(t.Context(), job, metav1.DeleteOptions{PropagationPolicy: &background})
		}, executor.WorkerLost, "deleted"},
		{"its deadline passes", Deadline(3 * time.Second), nil, executor.DeadlineExceeded, "after 3 s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			inv, works := newCall(), make(chan struct{})
			printed := sync.OnceFunc(func() { close(works) })
			inv.Log = func([]byte) { printed() }
			w := start(t, e.With(test.option), inv)
			pod := ""
			if test.does != nil {
				pod = isRunningSoon(t, c, w, "")
				select {
				case <-works: // before, it takes no signals
				case <-time.After(longest):
					t.Fatal("it prints nothing")
				}
				if err := test.does(t, w, pod); err != nil {
					t.Fatal(err)
				}
			}
			if test.reason != "" {
				failsWith(t, await(t, w).Err, test.reason, test.says)
				return
			}
			isRunningSoon(t, c, w, pod)
			if err := w.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
