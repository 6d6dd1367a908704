package k8s

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

func aJob(conditions ...batchv1.JobCondition) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job"}, Status: batchv1.JobStatus{Conditions: conditions}}
}

func is(kind batchv1.JobConditionType, reason string) batchv1.JobCondition {
	return batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: "the controller says so"}
}

// aPod is a pod whose worker is in a state.
func aPod(phase corev1.PodPhase, state corev1.ContainerState, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job-abcde", Labels: map[string]string{jobNameLabel: "job"}},
		Spec:       corev1.PodSpec{NodeName: "node1"},
		Status:     corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: containerName, State: state}}},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func running() *corev1.Pod {
	return aPod(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
}

func exited(code int32, reason string, change ...func(*corev1.Pod)) *corev1.Pod {
	phase := corev1.PodFailed
	if code == 0 {
		phase = corev1.PodSucceeded
	}
	return aPod(phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: "last words"}}, change...)
}

func waits(reason, message string) *corev1.Pod {
	return aPod(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
}

func pending(reason, message string) *corev1.Pod {
	return aPod(corev1.PodPending, corev1.ContainerState{}, func(p *corev1.Pod) {
		p.Spec.NodeName, p.Status.ContainerStatuses = "", nil
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: message}}
	})
}

func disruptedBy(reason string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: reason, Message: "the node goes"})
	}
}

func evicted(p *corev1.Pod) {
	p.Status.Reason, p.Status.Message, p.Status.ContainerStatuses = "Evicted", "The node was low on resource: ephemeral-storage.", nil
}

func TestEnds(t *testing.T) {
	policy, backoff := is(batchv1.JobFailed, batchv1.JobReasonPodFailurePolicy), is(batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded)
	deleting := aJob()
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	for _, test := range []struct {
		name   string
		view   view
		code   int
		reason executor.Reason // "" for none
		says   string
	}{
		{"container done", view{job: aJob(), pods: []*corev1.Pod{exited(0, "Completed")}}, 0, "", ""},
		{"container done, Job gone", view{gone: true, pods: []*corev1.Pod{exited(0, "Completed")}}, 0, "", ""},
		{"function failed", view{job: aJob(), pods: []*corev1.Pod{exited(46, "Error")}}, 46, "", ""},
		{"lease lost", view{job: aJob(), pods: []*corev1.Pod{exited(47, "Error")}}, 47, "", ""},
		{"unfit", view{job: aJob(), pods: []*corev1.Pod{exited(48, "Error")}}, 48, executor.WorkerFailed, "cannot do its work"},
		{"complete, no pod", view{job: aJob(is(batchv1.JobComplete, ""))}, 0, "", ""},
		{"crashed", view{job: aJob(backoff), pods: []*corev1.Pod{exited(2, "Error")}}, 2, executor.WorkerFailed, "crashed"},
		{"odd code", view{job: aJob(backoff), pods: []*corev1.Pod{exited(3, "Error")}}, 3, executor.WorkerFailed, "exit code 3"},
		{"out of memory", view{job: aJob(policy), pods: []*corev1.Pod{exited(137, "OOMKilled")}}, 137, executor.OOMKilled, "k8s.Memory"},
		{"killed", view{job: aJob(policy), pods: []*corev1.Pod{exited(137, "Error")}}, -1, executor.Signalled, "SIGKILL"},
		{"terminated", view{job: aJob(backoff), pods: []*corev1.Pod{exited(143, "Error")}}, -1, executor.Signalled, "SIGTERM"},
		{"not a program", view{job: aJob(policy), pods: []*corev1.Pod{exited(128, "StartError")}}, 128, executor.NotStarted, "last words"},
		{"evicted", view{job: aJob(backoff), pods: []*corev1.Pod{exited(137, "Error", evicted)}}, -1, executor.Evicted, "ephemeral-storage"},
		{"drained", view{job: aJob(backoff), pods: []*corev1.Pod{exited(137, "Error", disruptedBy("EvictionByEvictionAPI"))}}, -1, executor.Evicted, "the node goes"},
		{"preempted", view{job: aJob(backoff), pods: []*corev1.Pod{exited(137, "Error", disruptedBy("PreemptionByScheduler"))}}, -1, executor.Preempted, "priority"},
		{"node lost", view{job: aJob(backoff), pods: []*corev1.Pod{exited(137, "Error", disruptedBy("DeletionByPodGC"))}}, -1, executor.WorkerLost, "node"},
		{"deadline", view{job: aJob(is(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded))}, -1, executor.DeadlineExceeded, "k8s.Deadline"},
		{"failed, pod gone", view{job: aJob(policy)}, -1, executor.WorkerFailed, "the controller says so"},
		{"deleted", view{gone: true}, -1, executor.WorkerLost, "deleted"},
		{"never seen", view{gone: true, unseen: true}, -1, executor.WorkerLost, "k8s.TTL"},
		{"the last of two pods", view{job: aJob(backoff), pods: []*corev1.Pod{exited(137, "OOMKilled"), exited(3, "Error")}}, 3, executor.WorkerFailed, "exit code 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.view.worker, test.view.protocol = "worker of f@1", true
			v := decide(test.view)
			if !v.ended || v.exit.Code != test.code {
				t.Fatalf("%+v; want the end with code %d", v, test.code)
			}
			switch e := v.exit.Err; {
			case e == nil && test.reason == "":
			case e == nil || e.Reason != test.reason || !strings.Contains(e.Message, test.says) || !strings.Contains(e.Message, "worker of f@1"):
				t.Errorf("%v; want %s and %q", e, test.reason, test.says)
			}
		})
	}
	for _, test := range []struct {
		name string
		view view
	}{
		{"not seen yet", view{}},
		{"no pod yet", view{job: aJob()}},
		{"running", view{job: aJob(), pods: []*corev1.Pod{running()}}},
		{"to be tried again", view{job: aJob(), pods: []*corev1.Pod{exited(3, "Error")}}},
		{"failed in a drain", view{job: aJob(), pods: []*corev1.Pod{exited(46, "Error", disruptedBy("EvictionByEvictionAPI"))}}},
		{"second pod runs", view{job: aJob(), pods: []*corev1.Pod{exited(3, "Error"), running()}}},
		{"deadline, but it still runs", view{job: aJob(is(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded)), pods: []*corev1.Pod{running()}}},
		{"being deleted", view{job: deleting}},
		{"deleted, its pod is still there", view{gone: true, pods: []*corev1.Pod{running()}}},
		{"image comes", view{job: aJob(), pods: []*corev1.Pod{waits("ContainerCreating", "")}}},
		{"gated", view{job: aJob(), pods: []*corev1.Pod{pending("SchedulingGated", "")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.view.protocol = true
			if v := decide(test.view); v.ended || v.stuck != nil {
				t.Errorf("%+v; want neither an end nor an obstacle", v)
			}
		})
	}
}

func TestObstacles(t *testing.T) {
	suspended := aJob()
	suspended.Spec.Suspend = new(true)
	for _, test := range []struct {
		name   string
		view   view
		reason executor.Reason
		kind   obstacleKind
		says   string
	}{
		{"no such image", view{pods: []*corev1.Pod{waits("ErrImagePull", "not found")}}, executor.ImagePull, mistake, "ErrImagePull: not found"},
		{"back-off", view{pods: []*corev1.Pod{waits("ImagePullBackOff", "Back-off")}}, executor.ImagePull, mistake, "Back-off"},
		{"image name", view{pods: []*corev1.Pod{waits("InvalidImageName", "bad")}}, executor.ImagePull, hopeless, "bad"},
		{"never pull", view{pods: []*corev1.Pod{waits("ErrImageNeverPull", "")}}, executor.ImagePull, hopeless, "ErrImageNeverPull"},
		{"config map", view{pods: []*corev1.Pod{waits("CreateContainerConfigError", `configmap "x" not found`)}}, executor.NotStarted, mistake, `configmap "x" not found`},
		{"something new", view{pods: []*corev1.Pod{waits("Whatever", "new")}}, executor.NotStarted, mistake, "Whatever: new"},
		{"volume", view{events: "FailedMount: no such claim", pods: []*corev1.Pod{waits("ContainerCreating", "")}}, executor.NotStarted, mistake, "no such claim"},
		{"no node", view{pods: []*corev1.Pod{pending("Unschedulable", "0/1 nodes are available")}}, executor.Unschedulable, noRoom, "0/1 nodes"},
		{"quota", view{events: "FailedCreate: exceeded quota: small"}, executor.LaunchRejected, noRoom, "exceeded quota"},
		{"policy", view{events: "FailedCreate: violates PodSecurity"}, executor.LaunchRejected, mistake, "PodSecurity"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.view.job = aJob()
			v := decide(test.view)
			if v.ended || v.stuck == nil || v.stuck.reason != test.reason || v.stuck.kind != test.kind || !strings.Contains(v.stuck.message, test.says) {
				t.Errorf("%+v; want %s, %q", v.stuck, test.reason, test.says)
			}
		})
	}
	if v := decide(view{job: suspended, events: "Suspended: Job suspended"}); v.stuck != nil {
		t.Errorf("a Job in a queue is kept by %+v", v.stuck)
	}
}
