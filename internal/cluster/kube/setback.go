package kube

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Exit codes that are not mops's own.
const (
	exitKilled     = 137 // SIGKILL: out of memory, or sent by somebody
	exitNotStarted = 128 // the container runtime could not start the program
)

// FinalCodes are those after which another pod of the same Job is no use: the
// protocol's own, and those of a death after which the executor has to look:
// the next attempt may need more memory.
var FinalCodes = []int32{
	executor.ExitFunc, executor.ExitLost, executor.ExitUnfit, exitNotStarted, exitKilled,
}

// Setback is a pod that failed, or that the cluster took away, in a Job that
// goes on.
type Setback struct {
	Pod       string
	Last      bool // of a pack: no other pod follows, and the other workers go on
	Disrupted bool // the cluster took the pod away, which uses up no retry
	Nth, Most int  // it uses up the nth of so many retries or disruptions; Most may be negative: there is no bound
	Reason    executor.Reason
	Message   string // "crashed …"
	LastWords string // the lines of the worker that say most, if there are any
}

// setbacks are those of a Job, oldest first. The error says why the Job must not
// go on: its worker crashed twice in the same way, or the cluster took its pods
// away too often; the last of them is named. In a pack each call may kill a pod, so
// there a crash counts as one of the same way while no pod has got anywhere.
func setbacks(v View) (all []Setback, hopeless *executor.Error, pod string) {
	if v.Job == nil || v.Job.DeletionTimestamp != nil || Condition(v.Job, batchv1.JobFailed) != nil || Condition(v.Job, batchv1.JobFailureTarget) != nil {
		return nil, nil, ""
	}
	retries, disruptions, most := map[string]int{}, map[string]int{}, backoffLimit(v.Job) // by worker
	var before failure
	for _, pod := range slices.SortedFunc(slices.Values(slices.Concat(v.Former, v.Pods)), ByAge) {
		f, failed := failureOf(pod, v.Protocol)
		index := IndexOf(pod)
		switch {
		case !failed || v.Suspended[pod.Name] || v.Workers > 0 && hasSucceeded(pod):
			continue
		case disruption(pod) != nil:
			if disruptions[index]++; v.Disruptions >= 0 && disruptions[index] > v.Disruptions {
				return all, f.tooOften(v, disruptions[index]), f.pod.Name
			}
			all = append(all, f.setback(disruptions[index], v.Disruptions))
			all[len(all)-1].Disrupted = true
			continue
		}
		retries[index]++
		switch {
		case isFinal(v, pod) && outlived(pod):
			return all, f.err(v), f.pod.Name // the Job does not see it
		case isFinal(v, pod), retries[index] > most && v.Workers == 0:
			return all, nil, "" // the Job is about to fail
		case v.Protocol && before.isLike(f) && (v.Workers == 0 || isStillborn(v)):
			return all, before.again(v, f), f.pod.Name
		}
		all = append(all, f.setback(min(retries[index], most), most))
		all[len(all)-1].Last = retries[index] > most
		before = f
	}
	return all, nil, ""
}

// backoffLimit is how many pods of a worker may fail before it does.
func backoffLimit(job *batchv1.Job) int {
	switch {
	case job.Spec.BackoffLimitPerIndex != nil:
		return int(*job.Spec.BackoffLimitPerIndex)
	case job.Spec.BackoffLimit != nil:
		return int(*job.Spec.BackoffLimit)
	}
	return 6
}

// isFinal reports whether the Job fails with a pod that ended so.
func isFinal(v View, pod *corev1.Pod) bool {
	final := FinalCodes
	if v.Workers > 0 {
		final = PackFinalCodes
	}
	t := Terminated(pod)
	return v.Protocol && t != nil && slices.Contains(final, t.ExitCode)
}

func (f failure) setback(nth, most int) Setback {
	return Setback{Pod: f.pod.Name, Nth: nth, Most: most, Reason: f.reason, Message: f.message, LastWords: lastWords(f.tail)}
}

func (f failure) tooOften(v View, times int) *executor.Error {
	err := f.err(v)
	err.Message += fmt.Sprintf("; the cluster took its pods away %d times, which is more than k8s.Disruptions(%d) allows, and its Job was deleted", times, v.Disruptions)
	return err
}

// again is the end of a worker that crashed like this before.
func (f failure) again(v View, next failure) *executor.Error {
	return &executor.Error{Reason: next.reason, Tail: next.tail, Message: fmt.Sprintf(
		"the %s crashed twice in the same way, so it was not started again and its Job was deleted: its pods %s and %s each %s",
		v.Worker, f.pod.Name, next.pod.Name, next.message)}
}

// isLike reports whether two pods crashed in the same way: with the same exit
// code and the same last words.
func (f failure) isLike(next failure) bool {
	return f.pod != nil && f.reason == executor.WorkerFailed && f.reason == next.reason && f.code == next.code && f.saysLike(next)
}

func (f failure) saysLike(next failure) bool {
	a, aCut := f.words()
	b, bCut := next.words()
	if aCut || bCut {
		n := min(len(a), len(b))
		a, b = a[len(a)-n:], b[len(b)-n:]
	}
	return slices.Equal(a, b)
}

// varying are parts of a worker's output that differ each time: numbers of
// goroutines, addresses, times, ids.
var varying = regexp.MustCompile(`[0-9A-Za-z]*[0-9](?:[.:,+-]?[0-9A-Za-z]+)*`)

// mayBeCut is the length of a message in bytes from which on the kubelet may
// have cut off its beginning.
const mayBeCut = 2000

// words are the last lines of a worker, without what varies. Cut says that more
// lines may have come before.
func (f failure) words() (lines []string, cut bool) {
	text := strings.TrimSpace(strings.ReplaceAll(f.tail, f.pod.Name, "0"))
	cut = len(f.tail) >= mayBeCut
	if i := crashIn(text); i >= 0 {
		text, cut = text[i:], false
	} else if cut {
		_, text, _ = strings.Cut(text, "\n")
	}
	return strings.Split(varying.ReplaceAllString(text, "0"), "\n"), cut
}

// crashIn is where the report of a crash of a Go program begins in its output;
// negative if there is none.
func crashIn(text string) int {
	for _, begins := range []string{"panic: ", "fatal error: "} {
		if strings.HasPrefix(text, begins) {
			return 0
		}
		if i := strings.Index(text, "\n"+begins); i >= 0 {
			return i + 1
		}
	}
	return -1
}

// lastWords are the lines of a worker's output that say most about its end: the
// first of a crash, else the last three.
func lastWords(text string) string {
	text = strings.TrimSpace(text)
	if i := crashIn(text); i >= 0 {
		first, _, _ := strings.Cut(text[i:], "\n")
		return first
	}
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n")
}
