package kube

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

func TestStatusOf(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	pod := func(name string, age int, state corev1.ContainerState, phase corev1.PodPhase) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(begin.Add(time.Duration(age) * time.Minute))},
			Spec:       corev1.PodSpec{NodeName: "node"},
			Status:     corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: ContainerName, State: state}}},
		}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(begin)}}
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: code, StartedAt: metav1.NewTime(begin), FinishedAt: metav1.NewTime(begin.Add(time.Minute)),
		}}
	}
	pulling := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "not found"}}
	making := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
	unplaced := func(reason string) *corev1.Pod {
		p := pod("a", 0, corev1.ContainerState{}, corev1.PodPending)
		p.Spec.NodeName, p.Status.ContainerStatuses = "", nil
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: "0/1 nodes"}}
		return p
	}
	is := func(kind batchv1.JobConditionType) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			job.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: "Because", Message: "of this"}}
		}
	}
	plain := func(*batchv1.Job) {}
	launched := func(job *batchv1.Job) { delete(job.Annotations, MemoURIAnnotation) }
	both := func(a, b func(*batchv1.Job)) func(*batchv1.Job) { return func(job *batchv1.Job) { a(job); b(job) } }
	for _, test := range []struct {
		name   string
		change func(*batchv1.Job)
		pods   []*corev1.Pod
		events string
		state  State
		reason executor.Reason
		says   string
		ended  bool
	}{
		{"new", plain, nil, "", Pending, "", "", false},
		{"queued", func(job *batchv1.Job) { job.Spec.Suspend = new(true) }, nil, "", Queued, "", "", false},
		{"a quota is used up", plain, nil, "FailedCreate: exceeded quota: small", Queued, executor.LaunchRejected, "exceeded quota", false},
		{"a policy refuses it", plain, nil, "FailedCreate: violates PodSecurity", Pending, executor.LaunchRejected, "PodSecurity", false},
		{"gated", plain, []*corev1.Pod{unplaced("SchedulingGated")}, "", Queued, "", "", false},
		{"no node", plain, []*corev1.Pod{unplaced("Unschedulable")}, "", Pending, executor.Unschedulable, "0/1 nodes", false},
		{"being made", plain, []*corev1.Pod{pod("a", 0, making, corev1.PodPending)}, "", Starting, "", "", false},
		{"no image", plain, []*corev1.Pod{pod("a", 0, pulling, corev1.PodPending)}, "", Starting, executor.ImagePull, "not found", false},
		{"running", plain, []*corev1.Pod{pod("a", 0, running, corev1.PodRunning)}, "", Running, "", "", false},
		{"between two pods", plain, []*corev1.Pod{pod("a", 0, ended(3), corev1.PodFailed)}, "", Pending, "", "", false},
		{"second pod", plain, []*corev1.Pod{pod("b", 1, running, corev1.PodRunning), pod("a", 0, ended(3), corev1.PodFailed)}, "", Running, "", "", false},
		{"done", is(batchv1.JobComplete), []*corev1.Pod{pod("a", 0, ended(0), corev1.PodSucceeded)}, "", Succeeded, "", "", true},
		{"function failed", plain, []*corev1.Pod{pod("a", 0, ended(executor.ExitFunc), corev1.PodFailed)}, "", Failed, "", "the function failed", true},
		{"the same code of another program", both(launched, is(batchv1.JobFailed)), []*corev1.Pod{pod("a", 0, ended(executor.ExitFunc), corev1.PodFailed)}, "", Failed, executor.WorkerFailed, "exit code 46", true},
		{"crashed", is(batchv1.JobFailed), []*corev1.Pod{pod("a", 0, ended(3), corev1.PodFailed)}, "", Failed, executor.WorkerFailed, "it ended with exit code 3", true},
		{"failed without a pod", is(batchv1.JobFailed), nil, "", Failed, executor.WorkerFailed, "Because: of this", false},
		{"being deleted", func(job *batchv1.Job) { job.DeletionTimestamp = new(metav1.NewTime(begin)) }, nil, "", Stopping, "", "", false},
		{"lease lost", plain, []*corev1.Pod{pod("a", 0, ended(executor.ExitLost), corev1.PodFailed)}, "", Failed, "", "it lost its lease", true},
		{"unfit", plain, []*corev1.Pod{pod("a", 0, ended(executor.ExitUnfit), corev1.PodFailed)}, "", Failed, executor.WorkerFailed, "another version of the program", true},
		{"done, and a sidecar runs", plain, []*corev1.Pod{beside(pod("a", 0, ended(0), corev1.PodRunning))}, "", Succeeded, "", "its sidecars do: mops k8s stop ends it", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			job := aJob()
			job.Annotations = map[string]string{
				FunctionAnnotation: "weather/Forecast@3", MemoURIAnnotation: "s3://results/mops1/nightly/weather/Forecast@3/CatDogSun.abc", AttemptAnnotation: "1",
			}
			job.Spec.Template.Spec.Containers = []corev1.Container{{Name: "sidecar", Image: "b:2"}, {Name: ContainerName, Image: "a:1"}}
			test.change(job)
			s := StatusOf(job, test.pods, test.events, Turn{})
			if s.State != test.state || s.Reason != test.reason || !strings.Contains(s.Message, test.says) || test.says == "" && s.Message != "" || s.Ended.IsZero() == test.ended {
				t.Errorf("%+v", s)
			}
			if strings.Contains(s.Message, "no worker of mops uses") && *s.ExitCode > 45 {
				t.Errorf("it does not know its own codes: %s", s.Message)
			}
			if s.Image != "a:1" || s.Function != "weather/Forecast@3" || s.Attempt != 1 || s.Pods != len(test.pods) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Programs read these names, in the output of mops k8s jobs --json.
func TestStatusAsJSON(t *testing.T) {
	inv := executor.Invocation{
		Function: "f@1", MemoURI: "mem://r/mops1/p/f@1/c",
		ID: executor.ID{LeaseID: "lease", RunID: "2611231412-SkirtBus", Attempt: 2, Executor: "k8s"},
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "job", Annotations: Annotations(inv), CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
	}}
	text, err := json.Marshal(StatusOf(job, nil, "", Turn{}))
	const want = `{"namespace":"ns","job":"job","state":"pending","exit_code":null,"function":"f@1","memo_uri":"mem://r/mops1/p/f@1/c",` +
		`"run_id":"2611231412-SkirtBus","attempt":2,"image":"","pods":0,"created":"2026-01-02T03:04:05Z"}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v\nwant %s", text, err, want)
	}
	inv.Executor = "" // whoever reads it knows its own name
	if got := Annotated(job.Annotations); got.ID != inv.ID || got.Function != inv.Function || got.MemoURI != inv.MemoURI {
		t.Errorf("%+v", got)
	}
}

// A pack is one line, with what became of its workers.
func TestStatusOfAPack(t *testing.T) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lasts := func(from, to int, p *corev1.Pod) *corev1.Pod { // in minutes
		at := func(minute int) metav1.Time { return metav1.NewTime(begin.Add(time.Duration(minute) * time.Minute)) }
		switch state := &p.Status.ContainerStatuses[0].State; {
		case state.Running != nil:
			state.Running.StartedAt = at(from)
		default:
			state.Terminated.StartedAt, state.Terminated.FinishedAt = at(from), at(to)
		}
		return p
	}
	pack := func(failed int32, conditions ...batchv1.JobCondition) *batchv1.Job {
		job := aJob(conditions...)
		job.Annotations = Annotations(executor.Invocation{Function: "f@1", MemoURI: "mem://r/mops1-scratch/packs/a", Workers: 2})
		job.Status.Failed = failed
		return job
	}
	done := func(from, to int) *corev1.Pod { return lasts(from, to, exited(0, "Completed")) }
	for _, test := range []struct {
		name string
		job  *batchv1.Job
		pods []*corev1.Pod
		want JobStatus
	}{
		{"one is done", pack(1), append(of(0, done(0, 3)), of(1, lasts(0, 1, exited(3, "Error")), lasts(2, 0, running()))...),
			JobStatus{State: Running, Succeeded: 1, FailedPods: 1, Started: begin}},
		{"all are done", pack(0), append(of(0, done(1, 5)), of(1, done(0, 3))...),
			JobStatus{State: Succeeded, Succeeded: 2, Started: begin, Ended: begin.Add(5 * time.Minute)}},
		{"one died too often", pack(1, is(batchv1.JobFailed, "FailedIndexes")), append(of(0, done(0, 3)), of(1, lasts(0, 1, exited(3, "Error")))...),
			JobStatus{State: Failed, Reason: executor.WorkerFailed, Succeeded: 1, FailedPods: 1, Started: begin, Ended: begin.Add(3 * time.Minute)}},
	} {
		got := StatusOf(test.job, test.pods, "", Turn{})
		if got.Workers != 2 || got.State != test.want.State || got.Reason != test.want.Reason || got.Succeeded != test.want.Succeeded ||
			got.FailedPods != test.want.FailedPods || !got.Started.Equal(test.want.Started) || !got.Ended.Equal(test.want.Ended) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}
