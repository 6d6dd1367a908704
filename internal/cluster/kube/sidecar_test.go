package kube

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// What counts is the worker's container: what becomes of a Job when it has ended
// and a sidecar runs on.
func TestSidecarsThatRunOn(t *testing.T) {
	deleting := aJob()
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	waits := func(p *corev1.Pod) *corev1.Pod {
		p = beside(p)
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}
		return p
	}
	goes := func(p *corev1.Pod) *corev1.Pod {
		p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		return p
	}
	native := func(p *corev1.Pod) *corev1.Pod { // the pod runs until it has ended
		p = beside(p)
		p.Status.InitContainerStatuses, p.Status.ContainerStatuses = p.Status.ContainerStatuses[:1], p.Status.ContainerStatuses[1:]
		return p
	}
	failed := func(p *corev1.Pod) *corev1.Pod {
		p = beside(p)
		p.Status.Phase = corev1.PodFailed
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
		return p
	}
	for _, test := range []struct {
		name     string
		job      *batchv1.Job
		launched bool
		pod      *corev1.Pod
		code     int // -2: it has not ended
		reason   executor.Reason
		leftover bool
		stranded bool
	}{
		{"success", aJob(), false, beside(exited(0, "Completed")), 0, "", true, false},
		{"success before the Job was seen", nil, false, beside(exited(0, "Completed")), 0, "", true, false},
		{"success, and its image does not come", aJob(), false, waits(exited(0, "Completed")), 0, "", true, false},
		{"success in a pod that goes", aJob(), false, goes(beside(exited(0, "Completed"))), 0, "", true, false},
		{"success, but the sidecar failed", aJob(), false, failed(exited(0, "Completed")), 0, "", true, false},
		{"success of a program", aJob(), true, beside(exited(0, "Completed")), 0, "", true, false},
		{"success in a Job that goes", deleting, false, beside(exited(0, "Completed")), 0, "", false, false},
		{"success beside a native one", aJob(), false, native(exited(0, "Completed")), 0, "", false, false},
		{"success alone", aJob(), false, exited(0, "Completed"), 0, "", false, false},
		{"the function failed", aJob(), false, beside(exited(executor.ExitFunc, "Error")), executor.ExitFunc, "", true, false},
		{"unfit", aJob(), false, beside(exited(executor.ExitUnfit, "Error")), executor.ExitUnfit, executor.WorkerFailed, true, false},
		{"out of memory", aJob(), false, beside(exited(137, "OOMKilled")), 137, executor.OOMKilled, true, false},
		{"killed", aJob(), false, beside(exited(137, "Error")), -1, executor.Signalled, true, false},
		{"not started", aJob(), false, beside(exited(128, "StartError")), 128, executor.NotStarted, true, false},
		{"crashed", aJob(), false, beside(exited(3, "Error")), -2, "", false, true},
		{"crashed beside a native one", aJob(), false, native(exited(3, "Error")), -2, "", false, false},
		{"crashed in a pod that goes", aJob(), false, goes(beside(exited(3, "Error"))), -2, "", false, false},
		{"a program failed", aJob(), true, beside(exited(137, "Error")), -2, "", false, true},
		{"runs", aJob(), false, beside(running()), -2, "", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := Decide(View{Worker: "worker of f@1", Job: test.job, Pods: []*corev1.Pod{test.pod}, Protocol: !test.launched, Disruptions: -1})
			if v.Leftover != test.leftover || (v.Stranded == test.pod.Name) != test.stranded || v.Ended != (test.code > -2) || v.Ended && v.Exit.Code != test.code {
				t.Errorf("%+v", v)
			}
			if (v.Exit.Err != nil) != (test.reason != "") || v.Exit.Err != nil && (v.Exit.Err.Reason != test.reason || !strings.Contains(v.Exit.Err.Message, "worker of f@1")) {
				t.Errorf("%v; want %q", v.Exit.Err, test.reason)
			}
		})
	}
}
