package kube

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// StageOf is how far a worker is that has not ended; of a pack, the one that is
// furthest.
func StageOf(v View) executor.Stage {
	switch {
	case v.Job != nil && IsSuspended(v.Job):
		return executor.Queued
	case len(v.Pods) == 0 && IsQuota(v.Events):
		return executor.Queued
	case len(v.Pods) == 0:
		return executor.Pending
	}
	stages := []executor.Stage{executor.Queued, executor.Pending, executor.Starting, executor.Running}
	furthest := 0
	for _, pod := range Newest(v.Pods) {
		furthest = max(furthest, slices.Index(stages, stageOf(pod)))
	}
	return stages[furthest]
}

// stageOf is how far a worker is, by its newest pod.
func stageOf(pod *corev1.Pod) executor.Stage {
	switch {
	case isGated(pod):
		return executor.Queued
	case IsRunning(pod):
		return executor.Running
	case !IsAlive(pod) || pod.Spec.NodeName == "" || Terminated(pod) != nil:
		return executor.Pending // the Job makes another pod
	}
	return executor.Starting
}

// IsSuspended reports whether a Job waits until somebody lets it go, as Kueue does.
func IsSuspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

// LacksPod reports whether a Job should have a pod and has none.
func LacksPod(job *batchv1.Job, pods []*corev1.Pod) bool {
	return len(pods) == 0 && len(job.Status.Conditions) == 0 && job.DeletionTimestamp == nil && !IsSuspended(job)
}

// isGated reports whether somebody holds a pod back from the scheduler, as Kueue does
// with pods.
func isGated(pod *corev1.Pod) bool {
	c := podCondition(pod, corev1.PodScheduled, corev1.ConditionFalse)
	return c != nil && c.Reason == corev1.PodReasonSchedulingGated
}

// IsQuota reports whether the cluster's words say that a quota is used up.
func IsQuota(message string) bool { return strings.Contains(message, "exceeded quota") }

// Silence is a sign that the node of a pod does not answer.
type Silence struct {
	Node string
	Why  string        // for people, after "the node of the pod"
	For  time.Duration // how long it must last, since a node that is well passes through it, too
}

// SilenceOf says what speaks for it that nobody hears of a worker any more; nil if
// nothing does. The workers of a pack are heard of while one of them is. The pods are
// given oldest first.
func SilenceOf(pods []*corev1.Pod) (sign *Silence) {
	for _, pod := range Newest(pods) {
		switch s := silenceOf(pod); {
		case s == nil && IsRunning(pod):
			return nil
		case sign == nil:
			sign = s
		}
	}
	return sign
}

// silenceOf says it of a pod.
func silenceOf(pod *corev1.Pod) *Silence {
	switch {
	case pod.Spec.NodeName == "" || !IsAlive(pod):
		return nil
	// The cluster takes the condition from all pods of a node that it does not hear
	// from, and leaves those of the containers as they were.
	case podCondition(pod, corev1.PodReady, corev1.ConditionFalse) != nil && podCondition(pod, corev1.ContainersReady, corev1.ConditionTrue) != nil:
		return &Silence{Node: pod.Spec.NodeName, Why: "is not ready"}
	// The node ends a pod in its grace period, and a little more.
	case pod.DeletionTimestamp != nil:
		grace := time.Duration(deref(pod.DeletionGracePeriodSeconds)) * time.Second
		return &Silence{Node: pod.Spec.NodeName, Why: "does not end the pod, which is being deleted", For: grace + 15*time.Second}
	}
	return nil
}
