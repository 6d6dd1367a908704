package kube

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
)

// State is how far a Job is: an [executor.Stage], or what comes after these.
type State string

// The states.
const (
	Queued          = State(executor.Queued)
	Pending         = State(executor.Pending)
	Starting        = State(executor.Starting)
	Running         = State(executor.Running)
	Stopping  State = "stopping" // it is being deleted
	Succeeded State = "succeeded"
	Failed    State = "failed"
)

// States are all, as a Job goes through them.
var States = []State{Queued, Pending, Starting, Running, Stopping, Succeeded, Failed}

// Ended says that nothing of the Job runs, or will.
func (s State) Ended() bool { return s == Succeeded || s == Failed }

// JobStatus is how a Job of mops is, as the cluster sees it.
type JobStatus struct {
	Namespace string          `json:"namespace"`
	Job       string          `json:"job"`
	UID       types.UID       `json:"-"`
	State     State           `json:"state"`
	Reason    executor.Reason `json:"reason,omitempty"`  // why it waits, or failed; "" for a function that failed
	Message   string          `json:"message,omitempty"` // likewise
	ExitCode  *int            `json:"exit_code"`         // of the last pod; null while there is none

	// Of what was called; all empty in Jobs that were launched, not called.
	Function string `json:"function,omitempty"`
	MemoURI  string `json:"memo_uri,omitempty"`
	executor.ID

	// Of a pack.
	Workers    int `json:"workers,omitempty"`     // that share its calls; 0: it is one call
	Succeeded  int `json:"succeeded,omitempty"`   // of the workers
	FailedPods int `json:"failed_pods,omitempty"` // of which others followed, as far as they may

	// Caller is namespace/name of the Job whose program made this one; "" if that was
	// in no Job of mops.
	Caller string `json:"caller,omitempty"`

	// Memory is the limit of a call's pod, and MemoryFrom where that comes from.
	Memory     string `json:"memory,omitempty"`
	MemoryFrom string `json:"memory_from,omitempty"`

	Image string `json:"image"`
	Pod   string `json:"pod,omitempty"` // the newest
	Node  string `json:"node,omitempty"`
	Pods  int    `json:"pods"` // that are there: more than one after a retry

	Leftover bool `json:"leftover,omitempty"` // it has ended, and its Job goes on with sidecars

	Created time.Time `json:"created"`
	Started time.Time `json:"started,omitzero"` // when the newest pod's program was started
	Ended   time.Time `json:"ended,omitzero"`
}

// StatusOf says how a Job is, by itself and by its pods. Events is the complaint of
// the cluster's about a Job without pods, and turn what Kueue says of one that is
// suspended, if they are known.
func StatusOf(job *batchv1.Job, pods []*corev1.Pod, events string, turn Turn) JobStatus {
	pods = slices.SortedFunc(slices.Values(pods), ByAge)
	inv := Annotated(job.Annotations)
	s := JobStatus{
		Namespace: job.Namespace, Job: job.Name, UID: job.UID, Function: inv.Function, MemoURI: inv.MemoURI, ID: inv.ID,
		Caller: job.Annotations[CallerAnnotation],
		Memory: job.Annotations[MemoryAnnotation], MemoryFrom: job.Annotations[MemoryFromAnnotation],
		Pods: len(pods), Created: job.CreationTimestamp.Time,
	}
	s.LeaseID = "" // says nothing to people
	for _, c := range job.Spec.Template.Spec.Containers {
		if c.Name == ContainerName {
			s.Image = c.Image
		}
	}
	s.ofPods(pods)
	v := View{Worker: kindOfJob(inv), Job: job, Pods: pods, Events: events, Turn: turn, Protocol: s.MemoURI != "", Workers: inv.Workers, Disruptions: -1}
	s.state(v)
	if v.Workers > 0 {
		s.ofPack(v)
	}
	return s
}

// ofPods is what the newest pod says.
func (s *JobStatus) ofPods(pods []*corev1.Pod) {
	if len(pods) == 0 {
		return
	}
	newest := pods[len(pods)-1]
	s.Pod, s.Node = newest.Name, newest.Spec.NodeName
	s.Started, s.Ended = lifeOf(newest)
	if t := Terminated(newest); t != nil {
		s.ExitCode = new(int(t.ExitCode))
	}
}

// kindOfJob is what runs, for people.
func kindOfJob(inv executor.Invocation) string {
	if inv.Workers > 0 {
		return "pack"
	}
	return "program"
}

// ofPack is what the pods of all workers say.
func (s *JobStatus) ofPack(v View) {
	s.Workers, s.Succeeded, s.FailedPods = v.Workers, max(workersThat(v, hasSucceeded), int(v.Job.Status.Succeeded)), int(v.Job.Status.Failed)
	for _, pod := range v.Pods {
		begin, end := lifeOf(pod)
		if s.Started.IsZero() || !begin.IsZero() && begin.Before(s.Started) {
			s.Started = begin
		}
		if s.State.Ended() && end.After(s.Ended) {
			s.Ended = end
		}
	}
}

// lifeOf is when the program of a pod was started and when it ended; zero for what
// did not happen.
func lifeOf(pod *corev1.Pod) (begin, end time.Time) {
	c := WorkerStatus(pod)
	switch {
	case c == nil:
	case c.State.Running != nil:
		begin = c.State.Running.StartedAt.Time
	case c.State.Terminated != nil:
		begin, end = c.State.Terminated.StartedAt.Time, c.State.Terminated.FinishedAt.Time
	}
	return begin, end
}

func (s *JobStatus) state(v View) {
	d := Decide(v)
	if !d.Ended {
		s.Ended = time.Time{} // of a pod that another will follow
	}
	switch {
	case d.Ended && d.Exit.Code == executor.ExitOK:
		s.State = Succeeded
	case d.Ended:
		s.State = Failed
		s.failed(v, d.Exit)
	case v.Job.DeletionTimestamp != nil:
		s.State = Stopping
	case IsSuspended(v.Job):
		s.State, s.Message = Queued, v.Turn.Message
	case d.Running:
		s.State = Running
	default:
		s.State = State(StageOf(v))
		if d.Stuck != nil {
			s.Reason, s.Message = d.Stuck.Reason, d.Stuck.Message
		}
	}
	if d.Leftover { // whoever would delete it does not watch
		s.Leftover = true
		s.Message = strings.TrimPrefix(s.Message+"; its Job goes on, as its sidecars do: mops k8s stop ends it", "; ")
	}
}

// failed says why, shorter than the executor does.
func (s *JobStatus) failed(v View, exit executor.Exit) {
	if exit.Err == nil {
		s.Message = outcomes[int32(exit.Code)]
		return
	}
	s.Reason, s.Message = exit.Err.Reason, exit.Err.Message
	if v.Workers > 0 || len(v.Pods) == 0 {
		return
	}
	if f, ok := failureOf(v.Pods[len(v.Pods)-1], v.Protocol); ok && f.reason == s.Reason {
		s.Message = "it " + f.message
	}
}
