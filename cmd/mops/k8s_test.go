package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/apimachinery/pkg/watch"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/k8s"
)

const someConfig = `{"apiVersion": "v1", "kind": "Config", "current-context": "here",
"contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"name": "u", "user": {}}]}`

// onFake makes the tool see a cluster that holds these objects.
func onFake(t *testing.T, l *tool, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(someConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	client := fake.NewClientset(objects...)
	client.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &version.Info{GitVersion: "v1.34.4"}
	l.client = func(*rest.Config) (kubernetes.Interface, error) { return client, nil }
	return client
}

// aJob is the Job of a call, or of a program that was launched, and its pod.
func aJob(t *testing.T, l *tool, name, function string, age time.Duration, state corev1.ContainerState) (*batchv1.Job, *corev1.Pod) {
	t.Helper()
	options := []k8s.Option{k8s.Image("prog:1"), k8s.Namespace("weather")}
	if function != "" {
		options = append(options, k8s.Annotation("mops.trilliant.health/function", function), k8s.Annotation("mops.trilliant.health/memo-uri", "s3://b/mops1/"+name))
	}
	job, err := k8s.Program{Name: name}.Job(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	job.CreationTimestamp = metav1.NewTime(l.now.Add(-age))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "weather", Name: name + "-abcde", Labels: map[string]string{
			"app.kubernetes.io/managed-by": "mops", batchv1.JobNameLabel: name, "job-name": name,
		}, Annotations: job.Annotations},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "worker"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "worker", State: state}}},
	}
	return job, pod
}

func TestJobs(t *testing.T) {
	l := newTool(t)
	running, runningPod := aJob(t, l, "mops-train-1", "forecast/train@2", time.Hour, corev1.ContainerState{
		Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(l.now.Add(-50 * time.Minute))},
	})
	running.Annotations["mops.trilliant.health/memory"], running.Annotations["mops.trilliant.health/memory-from"] = "992Mi", "95% of 30 earlier runs"
	usual, usualPod := aJob(t, l, "mops-usual", "forecast/usual@2", time.Hour, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	usual.Namespace, usualPod.Namespace = "usual", "usual"
	usual.Annotations["mops.trilliant.health/memory"], usual.Annotations["mops.trilliant.health/memory-from"] = "4Gi", "k8s.Memory"
	pulling, pullingPod := aJob(t, l, "mops-tool", "", time.Minute, corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such\x1b[2J image"},
	})
	pullingPod.Status.Phase, pullingPod.Spec.NodeName = corev1.PodPending, "node"
	client := onFake(t, l, pulling, pullingPod, running, runningPod, usual, usualPod)
	l.expect(0, []string{
		"JOB           STATE       AGE    TOOK  WHAT\n", "mops-train-1  running   1h00m  50m00s  forecast/train@2\n", " s3://b/mops1/mops-train-1\n", " memory 992Mi: 95% of 30 earlier runs\n",
		"mops-tool     starting  1m00s          prog:1\n", "! ImagePull: ImagePullBackOff: no such image", "\n2 Jobs: 1 starting, 1 running\n",
	}, "k8s", "jobs", "-n", "weather")
	l.expect(0, []string{"There is no Job of mops in namespace other of here."}, "k8s", "jobs", "-n", "other")
	l.expect(0, []string{"weather/mops-tool "}, "k8s", "jobs", "--all-namespaces")
	if stdout, _, _ := l.run("k8s", "jobs", "-n", "usual"); !strings.Contains(stdout, "forecast/usual@2") || strings.Contains(stdout, "4Gi") {
		t.Errorf("memory that the program asks for is nothing to tell: %s", stdout)
	}
	stdout, _, _ := l.run("k8s", "jobs", "--json", "-n", "weather")
	var all []kube.JobStatus
	if err := json.Unmarshal([]byte(stdout), &all); err != nil || len(all) != 2 || all[0].State != kube.Running || all[1].Reason != "ImagePull" ||
		all[0].Memory != "992Mi" || all[0].MemoryFrom != "95% of 30 earlier runs" {
		t.Errorf("%+v, %v", all, err)
	}
	client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New(`User "ada" cannot list resource "pods"`))
	})
	l.expect(cli.ExitFailed, []string{`cannot list resource "pods"`, "mops k8s rbac --namespace weather prints what is needed"}, "k8s", "jobs", "-n", "weather")
}

func TestJobsAreWatched(t *testing.T) {
	l := newTool(t)
	job, pod := aJob(t, l, "mops-train-1", "forecast/train@2", time.Hour, corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(l.now.Add(-time.Minute))}})
	client := onFake(t, l, job)
	// Unlike a cluster, this one does not tell a watch of what came after the list before it.
	watched := make(chan struct{}, 10)
	client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		w, err := client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		watched <- struct{}{}
		return true, w, err
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	a := &cli.App{Stdout: writer, Text: cli.NewTextWriter(writer), Stderr: io.Discard, Now: func() time.Time { return l.now }, Lookup: l.lookup, Client: l.client}
	ended := make(chan int, 1)
	go func() { ended <- commands.Main(ctx, a, []string{"k8s", "jobs", "--watch", "-n", "weather"}) }()
	buffer := make([]byte, 4096)
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return nil }, "  pending    mops-train-1  forecast/train@2\n"},
		{func() error {
			<-watched // Jobs and pods, in whatever order
			<-watched
			_, err := client.CoreV1().Pods("weather").Create(ctx, pod, metav1.CreateOptions{})
			return err
		}, "  running    mops-train-1  after 1m00s  forecast/train@2\n"},
		{func() error {
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 46}}
			pod.Status.Phase = corev1.PodFailed
			_, err := client.CoreV1().Pods("weather").UpdateStatus(ctx, pod, metav1.UpdateOptions{})
			return err
		}, "! the function failed; mops inspect says how\n"},
		{func() error {
			return client.BatchV1().Jobs("weather").Delete(ctx, job.Name, metav1.DeleteOptions{})
		}, "  gone       mops-train-1"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		n, err := reader.Read(buffer)
		if err != nil || !strings.Contains(string(buffer[:n]), step.want) {
			t.Fatalf("%q, %v; want %q", buffer[:n], err, step.want)
		}
	}
	cancel()
	if code := <-ended; code != 130 {
		t.Errorf("exit code %d", code)
	}
}

// someJobs are two Jobs that run and wait for two that they made, one of which a quota
// keeps from having a pod; one that has ended; and one that is not of mops.
func someJobs(t *testing.T, l *tool) (objects []runtime.Object) {
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(l.now)}}
	for i, name := range []string{"mops-outer-1", "mops-outer-2"} {
		job, pod := aJob(t, l, name, "forecast/outer@1", time.Hour, running)
		pod.Spec.NodeName = "node"
		child, childPod := aJob(t, l, fmt.Sprint("mops-inner-", i+1), "forecast/inner@1", time.Minute, corev1.ContainerState{})
		child.Annotations[kube.CallerAnnotation] = "weather/" + name
		childPod.Status.Phase = corev1.PodPending
		objects = append(objects, job, pod, child)
		if i == 0 {
			objects = append(objects, childPod)
		}
	}
	done, donePod := aJob(t, l, "mops-done", "forecast/inner@2", time.Hour, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}})
	done.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	for i, object := range objects {
		object.(metav1.Object).SetUID(types.UID(fmt.Sprint("uid-", i)))
	}
	return append(objects, done, donePod,
		&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "weather", Name: "backup"}},
		&corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "weather", Name: "e"}, Type: corev1.EventTypeWarning, Reason: "FailedCreate", Message: "exceeded quota: small",
			InvolvedObject: corev1.ObjectReference{Kind: "Job", Namespace: "weather", Name: "mops-inner-2"}})
}

func TestJobsAreChosenAndCounted(t *testing.T) {
	l := newTool(t)
	onFake(t, l, someJobs(t, l)...)
	l.expect(0, []string{
		"\n5 Jobs: 1 queued, 1 pending, 2 running, 1 succeeded\n", "! LaunchRejected: FailedCreate: exceeded quota: small",
		"! 2 of 2 Jobs that run wait for Jobs of their own, and none of these finds room: let fewer functions",
	}, "k8s", "jobs", "-n", "weather")
	l.expect(0, []string{"\n3 Jobs: 1 queued, 1 pending, 1 succeeded\n"}, "k8s", "jobs", "-n", "weather", "--function", "forecast/inner")
	l.expect(0, []string{"\n1 Job: 1 succeeded\n"}, "k8s", "jobs", "-n", "weather", "--function", "forecast/inner@2")
	l.expect(0, []string{"\n3 Jobs: 1 queued, 2 running\n"}, "k8s", "jobs", "-n", "weather", "--state", "queued,running")
	l.expect(0, []string{"There is no Job of mops of forecast/inner that is failed or stopping in namespace weather of here."},
		"k8s", "jobs", "-n", "weather", "--function", "forecast/inner", "--state", "failed", "--state", "stopping")
	l.expect(cli.ExitUsage, []string{`"waiting" is no state; there are queued, pending, starting, running, stopping, succeeded, failed`}, "k8s", "jobs", "--state", "waiting")
	stdout, _, _ := l.run("k8s", "jobs", "--json", "-n", "weather", "--state", "queued")
	if !strings.Contains(stdout, `"state": "queued"`) || !strings.Contains(stdout, `"caller": "weather/mops-outer-2"`) {
		t.Error(stdout)
	}
}

func TestStop(t *testing.T) {
	l := newTool(t)
	client := onFake(t, l, someJobs(t, l)...)
	left := func(want ...string) {
		t.Helper()
		list, err := client.BatchV1().Jobs("weather").List(t.Context(), metav1.ListOptions{})
		var names []string
		for _, job := range list.Items {
			names = append(names, job.Name)
		}
		if slices.Sort(names); err != nil || !slices.Equal(names, want) {
			t.Errorf("there are %q, %v; want %q", names, err, want)
		}
	}
	l.expect(0, []string{"mops-inner-1  pending", "2 Jobs: 1 queued, 1 pending\nNothing was stopped: --yes stops them.\n"}, "k8s", "stop", "-n", "weather", "--function", "forecast/inner")
	l.expect(cli.ExitNotFound, []string{"there is no Job nothing in namespace weather of here; nothing was stopped"}, "k8s", "stop", "mops-inner-1", "nothing", "-n", "weather")
	l.expect(cli.ExitFailed, []string{"the Job backup in namespace weather of here is not of mops; nothing was stopped"}, "k8s", "stop", "weather/mops-inner-1", "backup")
	l.expect(0, []string{"Nothing was to be stopped: what was named has ended."}, "k8s", "stop", "weather/mops-done")
	left("backup", "mops-done", "mops-inner-1", "mops-inner-2", "mops-outer-1", "mops-outer-2")
	l.expect(0, []string{"Stopped 1 Job: 1 running\n"}, "k8s", "stop", "weather/mops-outer-1")
	for _, action := range client.Actions() {
		if deletion, ok := action.(clienttesting.DeleteActionImpl); ok {
			if o := deletion.DeleteOptions; *o.PropagationPolicy != metav1.DeletePropagationForeground || *o.Preconditions.UID == "" {
				t.Errorf("%+v", o)
			}
		}
	}
	l.expect(0, []string{"Stopped 2 Jobs: 1 queued, 1 pending\n"}, "k8s", "stop", "-n", "weather", "--function", "forecast/inner", "--yes")
	left("backup", "mops-done", "mops-outer-2")
	stdout, _, _ := l.run("k8s", "stop", "--json", "--all", "--yes", "-n", "weather")
	if !strings.Contains(stdout, `"stopped": true`) || !strings.Contains(stdout, `"job": "mops-outer-2"`) {
		t.Error(stdout)
	}
	left("backup", "mops-done")
	l.expect(0, []string{"There is no Job of mops in namespace weather of here that could be stopped."}, "k8s", "stop", "--all", "--yes", "-n", "weather")
	for _, args := range [][]string{{}, {"--yes"}, {"x", "--all"}, {"x", "--function", "f"}, {"a/x", "b/y"}, {"a/x", "-n", "b"}, {"--state", "failed"}, {"--", "x"}} {
		l.expect(cli.ExitUsage, nil, append([]string{"k8s", "stop"}, args...)...)
	}
}

func TestRBACBindsWhoIsNamed(t *testing.T) {
	l := newTool(t)
	l.expect(0, []string{"kind: Group", "name: weather-team", "- pods/exec", "name: mops-copy-weather-team", "kind: ClusterRole\n"},
		"k8s", "rbac", "-n", "w", "--group", "weather-team", "--copy", "--create-namespace")
	l.expect(0, []string{"kind: ServiceAccount\nmetadata:\n  name: mops\n  namespace: w\n---"}, "k8s", "rbac", "-n", "w")
	l.expect(cli.ExitUsage, []string{"do not go together"}, "k8s", "rbac", "-n", "w", "--group", "a", "--user", "b")
	stdout, _, _ := l.run("k8s", "rbac", "-n", "w", "--user", "ada")
	if strings.Contains(stdout, "ServiceAccount") || strings.Contains(stdout, "exec") || strings.Contains(stdout, "namespaces") {
		t.Errorf("more than was asked for:\n%s", stdout)
	}
}

// fakeDoctor answers what a cluster would that grants all but what is denied.
func fakeDoctor(client *fake.Clientset, denied string, absent bool) {
	client.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		r := review.Spec.ResourceAttributes
		review.Status.Allowed = r.Verb+" "+strings.TrimRight(r.Resource+"/"+r.Subresource, "/") != denied
		return true, review, nil
	})
	client.PrependReactor("create", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
		if absent {
			return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "weather")
		}
		return true, nil, nil
	})
}

func TestDoctorOfClusters(t *testing.T) {
	for _, test := range []struct {
		name, denied string
		absent       bool
		version      string
		code         int
		says         []string
	}{
		{"fit", "", false, "v1.34.4", 0, []string{"PASS  reach", "Kubernetes v1.34.4, here, answers at http://127.0.0.1:1.", "PASS  create jobs", "PASS  get pods/log", "PASS  job", ", 0 failed"}},
		{"no logs", "get pods/log", false, "v1.34.4", 1, []string{"FAIL  get pods/log", "mops k8s rbac -n weather --user NAME", " 1 failed"}},
		{"no Jobs", "create jobs", false, "v1.34.4", 1, []string{"FAIL  create jobs", "left out: namespace, job"}},
		{"no namespace yet", "", true, "v1.34.4", 0, []string{"There is no namespace weather yet; the first call makes it"}},
		{"no namespace ever", "create namespaces", true, "v1.34.4", 1, []string{"FAIL  namespace", "kubectl create namespace weather"}},
		{"old", "", false, "v1.27.1", 0, []string{"WARN  version", "1 warning, 0 failed"}},
		{"no Kubernetes", "", false, "hello", 1, []string{"FAIL  reach", "no Kubernetes"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newTool(t)
			client := onFake(t, l)
			fakeDoctor(client, test.denied, test.absent)
			client.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &version.Info{GitVersion: test.version}
			l.expect(test.code, test.says, "doctor", "--k8s", "-n", "weather")
		})
	}
	l := newTool(t)
	fakeDoctor(onFake(t, l), "", false)
	l.expect(cli.ExitFailed, []string{"FAIL  identity", `"reader" not found`}, "doctor", "--k8s", "-n", "weather", "--service-account", "reader")
	l.expect(cli.ExitUsage, []string{"say with --repository where"}, "doctor", "--k8s", "s3://b/r")
	l.expect(cli.ExitUsage, []string{"is no root that a pod could find"}, "doctor", "--k8s", "--repository", "r/r", "folder")
}

func TestCopyRefuses(t *testing.T) {
	l := newTool(t)
	job, pod := aJob(t, l, "mops-train-1", "forecast/train@2", time.Hour, corev1.ContainerState{})
	ended := pod.DeepCopy()
	ended.Name, ended.Status.Phase, ended.Labels = "ended", corev1.PodSucceeded, nil
	onFake(t, l, job, pod, ended)
	l.expect(cli.ExitNotFound, []string{"there is no pod nothing in namespace weather of here"}, "k8s", "cp", "-n", "weather", "nothing:/a", ".")
	l.expect(cli.ExitFailed, []string{"pod ended does not run, its phase is Succeeded"}, "k8s", "cp", "-n", "weather", "ended:/a", ".")
	for _, args := range [][]string{{"a", "b"}, {"pod:/a", "pod:/b"}, {"pod:/", "."}, {"pod:", "x"}, {"one"}} {
		l.expect(cli.ExitUsage, nil, append([]string{"k8s", "cp"}, args...)...)
	}
}
