package kube

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job-abcde", Labels: map[string]string{"job-name": "job"}},
		Spec:       corev1.PodSpec{NodeName: "node1"},
		Status:     corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: ContainerName, State: state}}},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func limited(pod *corev1.Pod) {
	pod.Spec.Containers = []corev1.Container{{Name: ContainerName, Resources: corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}}}}
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

// beside makes a sidecar run on in a pod.
func beside(pod *corev1.Pod) *corev1.Pod {
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ContainerStatuses = append([]corev1.ContainerStatus{
		{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
	}, pod.Status.ContainerStatuses...)
	return pod
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
		view   View
		code   int
		reason executor.Reason // "" for none
		says   string
	}{
		{"container done", View{Job: aJob(), Pods: []*corev1.Pod{exited(0, "Completed")}}, 0, "", ""},
		{"container done, Job gone", View{Gone: true, Pods: []*corev1.Pod{exited(0, "Completed")}}, 0, "", ""},
		{"function failed", View{Job: aJob(), Pods: []*corev1.Pod{exited(46, "Error")}}, 46, "", ""},
		{"lease lost", View{Job: aJob(), Pods: []*corev1.Pod{exited(47, "Error")}}, 47, "", ""},
		{"unfit", View{Job: aJob(), Pods: []*corev1.Pod{exited(48, "Error")}}, 48, executor.WorkerFailed, "cannot do its work"},
		{"complete, no pod", View{Job: aJob(is(batchv1.JobComplete, ""))}, 0, "", ""},
		{"crashed", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(2, "Error")}}, 2, executor.WorkerFailed, "crashed"},
		{"odd code", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(3, "Error")}}, 3, executor.WorkerFailed, "exit code 3"},
		{"out of memory", View{Job: aJob(policy), Pods: []*corev1.Pod{exited(137, "OOMKilled", limited)}}, 137, executor.OOMKilled, "(2Gi)"},
		{"out of its node's memory", View{Job: aJob(policy), Pods: []*corev1.Pod{exited(137, "OOMKilled")}}, 137, executor.OOMKilled, "k8s.Memory"},
		{"killed", View{Job: aJob(policy), Pods: []*corev1.Pod{exited(137, "Error")}}, -1, executor.Signalled, "SIGKILL"},
		{"terminated", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(143, "Error")}}, -1, executor.Signalled, "SIGTERM"},
		{"not a program", View{Job: aJob(policy), Pods: []*corev1.Pod{exited(128, "StartError")}}, 128, executor.NotStarted, "last words"},
		{"of another architecture", View{Job: aJob(policy), Pods: []*corev1.Pod{exited(128, "StartError", says("exec /program: exec format error"))}}, 128, executor.NotStarted, "see k8s.Platforms"},
		{"evicted", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(137, "Error", evicted)}}, -1, executor.Evicted, "ephemeral-storage"},
		{"drained", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(137, "Error", disruptedBy("EvictionByEvictionAPI"))}}, -1, executor.Evicted, "the node goes"},
		{"preempted", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(137, "Error", disruptedBy("PreemptionByScheduler"))}}, -1, executor.Preempted, "priority"},
		{"node lost", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(137, "Error", disruptedBy("DeletionByPodGC"))}}, -1, executor.WorkerLost, "node"},
		{"deadline", View{Job: aJob(is(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded))}, -1, executor.DeadlineExceeded, "k8s.Deadline"},
		{"failed, pod gone", View{Job: aJob(policy)}, -1, executor.WorkerFailed, "the controller says so"},
		{"deleted", View{Gone: true}, -1, executor.WorkerLost, "deleted"},
		{"never seen", View{Gone: true, Unseen: true}, -1, executor.WorkerLost, "k8s.TTL"},
		{"the last of two pods", View{Job: aJob(backoff), Pods: []*corev1.Pod{exited(137, "OOMKilled"), exited(3, "Error")}}, 3, executor.WorkerFailed, "exit code 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.view.Worker, test.view.Protocol = "worker of f@1", true
			v := Decide(test.view)
			if !v.Ended || v.Exit.Code != test.code {
				t.Fatalf("%+v; want the end with code %d", v, test.code)
			}
			if had := v.Exit.PeakMemory; (had == 2<<30) != (test.says == "(2Gi)") {
				t.Errorf("it had %d bytes of memory", had)
			}
			switch e := v.Exit.Err; {
			case e == nil && test.reason == "":
			case e == nil || e.Reason != test.reason || !strings.Contains(e.Message, test.says) || !strings.Contains(e.Message, "worker of f@1"):
				t.Errorf("%v; want %s and %q", e, test.reason, test.says)
			}
		})
	}
	for _, test := range []struct {
		name string
		view View
	}{
		{"not seen yet", View{}},
		{"no pod yet", View{Job: aJob()}},
		{"running", View{Job: aJob(), Pods: []*corev1.Pod{running()}}},
		{"to be tried again", View{Job: aJob(), Pods: []*corev1.Pod{exited(3, "Error")}}},
		{"failed in a drain", View{Job: aJob(), Pods: []*corev1.Pod{exited(46, "Error", disruptedBy("EvictionByEvictionAPI"))}}},
		{"second pod runs", View{Job: aJob(), Pods: []*corev1.Pod{exited(3, "Error"), running()}}},
		{"deadline, but it still runs", View{Job: aJob(is(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded)), Pods: []*corev1.Pod{running()}}},
		{"being deleted", View{Job: deleting}},
		{"deleted, its pod is still there", View{Gone: true, Pods: []*corev1.Pod{running()}}},
		{"image comes", View{Job: aJob(), Pods: []*corev1.Pod{waits("ContainerCreating", "")}}},
		{"gated", View{Job: aJob(), Pods: []*corev1.Pod{pending("SchedulingGated", "")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.view.Protocol = true
			if v := Decide(test.view); v.Ended || v.Stuck != nil {
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
		view   View
		reason executor.Reason
		kind   ObstacleKind
		says   string
	}{
		{"no such image", View{Pods: []*corev1.Pod{waits("ErrImagePull", "not found")}}, executor.ImagePull, Mistake, "ErrImagePull: not found"},
		{"back-off", View{Pods: []*corev1.Pod{waits("ImagePullBackOff", "Back-off")}}, executor.ImagePull, Mistake, "Back-off"},
		{"image name", View{Pods: []*corev1.Pod{waits("InvalidImageName", "bad")}}, executor.ImagePull, Hopeless, "bad"},
		{"never pull", View{Pods: []*corev1.Pod{waits("ErrImageNeverPull", "")}}, executor.ImagePull, Hopeless, "ErrImageNeverPull"},
		{"config map", View{Pods: []*corev1.Pod{waits("CreateContainerConfigError", `configmap "x" not found`)}}, executor.NotStarted, Mistake, `configmap "x" not found`},
		{"something new", View{Pods: []*corev1.Pod{waits("Whatever", "new")}}, executor.NotStarted, Mistake, "Whatever: new"},
		{"volume", View{Events: "FailedMount: no such claim", Pods: []*corev1.Pod{waits("ContainerCreating", "")}}, executor.NotStarted, Mistake, "no such claim"},
		{"no node", View{Pods: []*corev1.Pod{pending("Unschedulable", "0/1 nodes are available")}}, executor.Unschedulable, NoRoom, "0/1 nodes"},
		{"quota", View{Events: "FailedCreate: exceeded quota: small"}, executor.LaunchRejected, NoRoom, "exceeded quota"},
		{"policy", View{Events: "FailedCreate: violates PodSecurity"}, executor.LaunchRejected, Mistake, "PodSecurity"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.view.Job = aJob()
			v := Decide(test.view)
			if v.Ended || v.Stuck == nil || v.Stuck.Reason != test.reason || v.Stuck.Kind != test.kind || !strings.Contains(v.Stuck.Message, test.says) {
				t.Errorf("%+v; want %s, %q", v.Stuck, test.reason, test.says)
			}
		})
	}
	if v := Decide(View{Job: suspended, Events: "Suspended: Job suspended"}); v.Stuck != nil {
		t.Errorf("a Job in a queue is kept by %+v", v.Stuck)
	}
	for _, turn := range []Turn{{Message: "1 more needed"}, {Message: "no such queue", Advice: "make it"}} {
		v := Decide(View{Job: suspended, Turn: turn})
		if v.Stuck == nil || v.Stuck.Message != turn.Message || v.Stuck.Advice != turn.Advice || (v.Stuck.Kind == NeverATurn) != (turn.Advice != "") {
			t.Errorf("%+v: %+v", turn, v.Stuck)
		}
	}
}
