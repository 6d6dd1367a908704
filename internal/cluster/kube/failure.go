package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// failure is how a pod failed.
type failure struct {
	pod     *corev1.Pod
	code    int // exit code of the container; -1 where it had none of its own
	reason  executor.Reason
	message string // "… was killed", to come after the worker's name
	tail    string // the container's last lines, where the cluster kept them
}

// signals are what exit codes above 128 say that a container was killed by.
var signals = map[int32]string{1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM"}

// failureOf says how a pod failed, or fails as the cluster takes it away; false
// where it does neither. Protocol says that the exit codes are a worker's.
func failureOf(pod *corev1.Pod, protocol bool) (failure, bool) {
	t, d := Terminated(pod), disruption(pod)
	if IsAlive(pod) && t == nil && (d == nil || pod.DeletionTimestamp == nil) {
		return failure{}, false
	}
	f := failure{pod: pod, code: -1}
	if t != nil && t.Reason != "OOMKilled" {
		f.tail = t.Message
	}
	switch {
	case t != nil && t.Reason == "OOMKilled":
		f.code, f.reason = int(t.ExitCode), executor.OOMKilled
		limit := memoryOf(pod)
		if limit == "" {
			limit = "its node's, as it has no limit"
		}
		f.message = fmt.Sprintf("ran out of memory (%s); give it more with k8s.Memory, or let it get more by itself with k8s.MemoryMax", limit)
	case pod.Status.Reason == "Evicted":
		f.reason, f.message = executor.Evicted, "was evicted from its node: "+pod.Status.Message
	case d != nil:
		f.reason, f.message = disrupted(d)
	case strings.HasPrefix(pod.Status.Reason, "OutOf") || pod.Status.Reason == "UnexpectedAdmissionError" || pod.Status.Reason == "NodeAffinity":
		f.reason, f.message = executor.Unschedulable, "was refused by its node: "+pod.Status.Message
	case pod.Status.Reason == "DeadlineExceeded" && t == nil:
		f.reason, f.message = executor.DeadlineExceeded, "was stopped by its node: "+pod.Status.Message
	case t == nil:
		f.reason, f.message = executor.WorkerLost, strings.TrimSpace("failed without a trace of how its program ended. "+pod.Status.Message)
	case t.Reason == "StartError" || t.Reason == "ContainerCannotRun":
		f.code, f.reason, f.tail = int(t.ExitCode), executor.NotStarted, ""
		f.message = "could not be started from its image: " + t.Message
		if strings.Contains(t.Message, "exec format error") {
			f.message += "; its node is of another architecture than the image: see k8s.Platforms"
		}
	case signals[t.ExitCode-128] != "":
		f.reason = executor.Signalled
		why := "not by mops; see who on its node " + pod.Spec.NodeName + " did"
		if pod.DeletionTimestamp != nil {
			why = "as its pod was deleted; see who did"
		}
		f.message = fmt.Sprintf("was killed by %s (exit code %d), %s", signals[t.ExitCode-128], t.ExitCode, why)
	case !protocol:
		f.code, f.reason, f.message = int(t.ExitCode), executor.WorkerFailed, fmt.Sprintf("ended with exit code %d; its last lines may say why", t.ExitCode)
	case outcomes[t.ExitCode] != "":
		f.code, f.reason = int(t.ExitCode), executor.WorkerFailed
		f.message = fmt.Sprintf("ended with exit code %d: %s", t.ExitCode, outcomes[t.ExitCode])
	case t.ExitCode == 2:
		f.code, f.reason, f.message = 2, executor.WorkerFailed, "crashed (exit code 2); its last lines say where"
	case t.ExitCode == executor.ExitFailed:
		f.code, f.reason = 1, executor.WorkerFailed
		f.message = "ended with exit code 1: mops failed in it, or the program called os.Exit or log.Fatal; its last lines say which"
	default:
		f.code, f.reason = int(t.ExitCode), executor.WorkerFailed
		f.message = fmt.Sprintf("ended with exit code %d, which no worker of mops uses; its last lines may say why", t.ExitCode)
	}
	return f, true
}

// outcomes are what the exit codes of a worker of mops say.
var outcomes = map[int32]string{
	executor.ExitFunc: "the function failed; mops inspect says how",
	executor.ExitLost: "it lost its lease, and somebody else computes the call",
	executor.ExitUnfit: "it cannot do its work, as its image holds another version of the program, or as it may not use the root; " +
		"mops inspect says which",
}

// disrupted says why the cluster took a pod away.
// https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
func disrupted(d *corev1.PodCondition) (executor.Reason, string) {
	switch d.Reason {
	case corev1.PodReasonPreemptionByScheduler:
		return executor.Preempted, "was preempted by something of a higher priority: " + d.Message
	case "DeletionByPodGC":
		return executor.WorkerLost, "was lost with its node: " + d.Message
	}
	return executor.Evicted, fmt.Sprintf("was evicted from its node (%s): %s", d.Reason, d.Message)
}

// exit is the end of the worker whose last pod failed so, or of the pack.
func (f failure) exit(v View, job *batchv1.JobCondition) executor.Exit {
	err := f.err(v)
	switch pods := int(v.Job.Status.Failed); {
	case v.Workers > 0:
		err.Message += fmt.Sprintf("; it is one of %d pods that failed, of %d workers (%s)", pods, v.Workers, job.Message)
	case pods > 1:
		err.Message += fmt.Sprintf("; it was the last of %d pods (%s)", pods, job.Message)
	}
	return executor.Exit{Code: f.code, Err: err}
}

func (f failure) err(v View) *executor.Error {
	who := "the " + v.Worker
	if v.Workers > 0 {
		who = "pod " + f.pod.Name + " of " + who
	}
	return &executor.Error{Reason: f.reason, Message: who + " " + f.message, Tail: f.tail}
}

// memoryOf is the memory limit of a pod; "" where it has none.
func memoryOf(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == ContainerName {
			return limit.String()
		}
	}
	return ""
}

// Finish waits for a program that was started, as Launch does.
func Finish(ctx context.Context, worker executor.Worker) (executor.Exit, error) {
	exit, err := worker.Wait(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		return executor.Exit{Code: -1}, errors.Join(context.Cause(ctx), worker.Stop(stopping))
	case err != nil:
		return executor.Exit{Code: -1}, err
	case exit.Err != nil && exit.Err.Reason == executor.WorkerFailed && exit.Code > 0:
		exit.Err = nil // no failure of the cluster's
		return exit, nil
	case exit.Err != nil:
		return exit, exit.Err
	}
	return exit, nil
}

// stopTime is how long the end of a Job is waited for that is being deleted: with
// the longest StopGrace that is usual, and the cluster's own time.
const stopTime = 2 * time.Minute
