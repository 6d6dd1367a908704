package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	flag "github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

var jobsCommand = cli.Command{
	Name:    "k8s jobs",
	Usage:   []string{"k8s jobs [--json] [--watch] [--function F] [--state STATE] [flags]"},
	Purpose: "list Jobs of mops: how they are and what they run, or watch them",
	Teach: `
It lists the Jobs that calls and mops k8s launch made, oldest first: how old they are,
how long their program has run, what they run, the memo URI of the call, how much
memory it has where that was learned from earlier runs or grew after a lack of it, and
behind a "!" why one waits or failed. A line at the end counts them. A Job that has ended stays
for an hour (k8s.TTL).

A Job is queued (suspended until Kueue lets it go, or without a pod since a quota is
used up), pending (its pod has no node yet, or there is no new pod yet), starting (the
image comes, the container is being made), running, stopping (being deleted),
succeeded or failed.

A Job of many calls (k8s.Pack) is one line, with the number of workers that share them,
how many of these are done, and how many of their pods failed. Its URI is that of the
list of its calls.

--function and --state choose Jobs; --state may name several, with commas. --watch
goes on and prints each Job whose state changes, until Ctrl-C. --json prints all that
is known of them; with --watch one object after the other.`,
	Example: `
mops k8s jobs
mops k8s jobs --function forecast/train --state queued,pending
mops k8s jobs --watch --namespace weather
mops k8s jobs --json | jq -r '.[] | select(.state == "failed").memo_uri'`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := jobsOptions{}
		o.define(flags)
		flags.BoolVar(&o.watch, "watch", false, "go on, and print what changes")
		flags.BoolVar(&o.all, "all-namespaces", false, "Jobs of all namespaces")
		return o.run
	},
	Complete: cli.OneOf[string](),
	Values:   map[string]cli.Completer{"function": roots.CompleteFunction, "state": cli.OneOf(kube.States...)},
}

type jobsOptions struct {
	ClusterFlags
	selection
	watch, all bool
}

func (o *jobsOptions) define(flags *flag.FlagSet) {
	o.ClusterFlags.define(flags)
	o.selection.define(flags)
}

// selection chooses Jobs.
type selection struct {
	function string       // NAME or NAME@VERSION; "" means any program
	states   []kube.State // empty means any
}

func (s *selection) define(flags *flag.FlagSet) {
	flags.StringVar(&s.function, "function", "", "only Jobs of this function, `NAME` or NAME@VERSION")
	flags.Func("state", "only Jobs that are in this `STATE`; several with commas", func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			state := kube.State(strings.TrimSpace(name))
			if !slices.Contains(kube.States, state) {
				return fmt.Errorf("%q is no state; there are %s", name, stateNames(kube.States))
			}
			s.states = append(s.states, state)
		}
		return nil
	})
}

func stateNames(states []kube.State) string {
	var names []string
	for _, state := range states {
		names = append(names, string(state))
	}
	return strings.Join(names, ", ")
}

func (s *selection) has(j kube.JobStatus) bool {
	name, _, _ := strings.Cut(j.Function, "@")
	return (s.function == "" || s.function == j.Function || s.function == name) &&
		(len(s.states) == 0 || slices.Contains(s.states, j.State))
}

// words say which Jobs are chosen, to come after "Job of mops".
func (s *selection) words() (words string) {
	if s.function != "" {
		words += " of " + s.function
	}
	if len(s.states) > 0 {
		words += " that is " + strings.ReplaceAll(stateNames(s.states), ", ", " or ")
	}
	return words
}

func (o *jobsOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	if !line.Empty() {
		return cli.Usagef("k8s jobs takes no arguments, only flags")
	}
	c, err := Connect(a, o.ClusterFlags)
	if err != nil {
		return err
	}
	if o.all {
		c.Namespace = metav1.NamespaceAll
	}
	if o.watch {
		return o.follow(ctx, a, c)
	}
	all, err := c.jobs(ctx)
	if err != nil {
		return c.explain(err, "")
	}
	jobs := []kube.JobStatus{}
	for _, job := range all {
		if o.has(job) {
			jobs = append(jobs, job)
		}
	}
	if a.JSON {
		return a.PrintJSON(jobs)
	}
	if len(jobs) == 0 {
		fmt.Fprintf(a.Text, "There is no Job of mops%s in %s.\n", o.words(), c.where())
		return nil
	}
	o.show(a, jobs)
	fmt.Fprintln(a.Text, counts(jobs))
	if idle, running := idleParents(all); idle > 0 {
		fmt.Fprintf(a.Text, "! %d of %s that run wait for Jobs of their own, and none of these finds room: %s\n", idle, text.Count(running, "Job"), kube.RoomForChildren)
	}
	return nil
}

// show writes a table.
func (o *jobsOptions) show(a *cli.App, jobs []kube.JobStatus) {
	rows := [][]string{{"JOB", "STATE", "AGE", "TOOK", "WHAT"}}
	for _, job := range jobs {
		rows = append(rows, o.row(a, job))
	}
	a.Text.Table("", rows, "<<>>")
}

// counts is how many there are in each state, in one line.
func counts(jobs []kube.JobStatus) string {
	count := map[kube.State]int{}
	for _, job := range jobs {
		count[job.State]++
	}
	var parts []string
	for _, state := range kube.States {
		if n := count[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return text.Count(len(jobs), "Job") + ": " + strings.Join(parts, ", ")
}

// idleParents is how many of the Jobs that run wait for Jobs that they made, if
// none of these has room.
func idleParents(jobs []kube.JobStatus) (idle, running int) {
	waited := map[string]bool{} // by callers
	for _, job := range jobs {
		switch {
		case job.Caller == "" || job.State.Ended():
		case job.State == kube.Queued || job.State == kube.Pending:
			waited[job.Caller] = true
		default:
			return 0, 0
		}
	}
	for _, job := range jobs {
		if job.State == kube.Running {
			running++
			if waited[job.Namespace+"/"+job.Job] {
				idle++
			}
		}
	}
	return idle, running
}

// where is the namespace and the cluster, for people.
func (c *Cluster) where() string {
	if c.Namespace == metav1.NamespaceAll {
		return "any namespace of " + c.Cluster
	}
	return fmt.Sprintf("namespace %s of %s", c.Namespace, c.Cluster)
}

// jobs are all Jobs of mops, oldest first.
func (c *Cluster) jobs(ctx context.Context) ([]kube.JobStatus, error) {
	options := metav1.ListOptions{LabelSelector: kube.Selector}
	jobs, err := c.Client.BatchV1().Jobs(c.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	found, err := c.Client.CoreV1().Pods(c.Namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	pods := map[string][]*corev1.Pod{}
	for i := range found.Items {
		pod := &found.Items[i]
		pods[jobOf(pod)] = append(pods[jobOf(pod)], pod)
	}
	events := complaints{cluster: c}
	all := []kube.JobStatus{}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		own := pods[job.Namespace+"/"+job.Name]
		said, turn, err := events.of(ctx, job, own)
		if err != nil {
			return nil, err
		}
		all = append(all, kube.StatusOf(job, own, said, turn))
	}
	slices.SortStableFunc(all, func(a, b kube.JobStatus) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// complaints are what the cluster says of Jobs that have no pod, or wait in a queue.
type complaints struct {
	cluster *Cluster
	heard   map[string]string // by "namespace/name"
	asked   time.Time

	kueue  kube.Kueue
	turns  map[types.UID]kube.Turn
	unsaid error // why there are none
	turned time.Time
}

// askAgain is how old they may be.
const askAgain = 5 * time.Second

// of is what the cluster says of a Job. Whoever may not list events, or Workloads,
// hears nothing.
func (e *complaints) of(ctx context.Context, job *batchv1.Job, pods []*corev1.Pod) (said string, turn kube.Turn, err error) {
	if kube.WaitsInQueue(job) {
		return "", e.turnOf(ctx, job), nil
	}
	said, err = e.eventsOf(ctx, job, pods)
	return said, kube.Turn{}, err
}

// turnOf is what Kueue says of a Job that waits in a queue.
func (e *complaints) turnOf(ctx context.Context, job *batchv1.Job) kube.Turn {
	if time.Since(e.turned) > askAgain {
		e.kueue.Client = e.cluster.Client.Discovery().RESTClient()
		e.turns, e.unsaid = e.kueue.Turns(ctx, e.cluster.Namespace)
		e.turned = time.Now()
	}
	turn, ok := e.turns[job.UID]
	if !ok && e.turns != nil && time.Since(job.CreationTimestamp.Time) < 2*askAgain {
		return kube.Turn{} // Kueue may not have seen it yet
	}
	if !ok && (e.turns != nil || e.unsaid != nil) {
		return kube.NoTurnOf(e.unsaid)
	}
	return turn
}

// eventsOf are the events of a Job that has no pod.
func (e *complaints) eventsOf(ctx context.Context, job *batchv1.Job, pods []*corev1.Pod) (string, error) {
	if !kube.LacksPod(job, pods) {
		return "", nil
	}
	if e.heard == nil || time.Since(e.asked) > askAgain {
		events, err := e.cluster.Client.CoreV1().Events(e.cluster.Namespace).List(ctx, metav1.ListOptions{
			FieldSelector: fields.Set{"involvedObject.kind": "Job", "reason": "FailedCreate"}.String(),
		})
		if err != nil && !apierrors.IsForbidden(err) {
			return "", err
		}
		byJob := map[string][]corev1.Event{}
		if err == nil {
			for _, event := range events.Items {
				if o := event.InvolvedObject; o.Kind == "Job" {
					byJob[o.Namespace+"/"+o.Name] = append(byJob[o.Namespace+"/"+o.Name], event)
				}
			}
		}
		e.heard, e.asked = map[string]string{}, time.Now()
		for job, events := range byJob {
			e.heard[job] = kube.Complaint(events)
		}
	}
	return e.heard[job.Namespace+"/"+job.Name], nil
}

// jobOf is "namespace/name" of the Job that a pod belongs to.
func jobOf(pod *corev1.Pod) string {
	return pod.Namespace + "/" + pod.Labels[batchv1.JobNameLabel]
}

func (o *jobsOptions) row(a *cli.App, j kube.JobStatus) []string {
	name, what := j.Job, whatRuns(j)
	if o.all {
		name = j.Namespace + "/" + j.Job
	}
	for _, more := range []string{j.MemoURI, memoryOf(j), complaintOf(j)} {
		if more != "" {
			what += "\n" + more
		}
	}
	return []string{name, string(j.State), text.Duration(a.Now().Sub(j.Created)), took(a.Now(), j), what}
}

// memoryOf is how much memory a worker may have and why, unless it is what the
// program asks for.
func memoryOf(j kube.JobStatus) string {
	if j.Memory == "" || j.MemoryFrom == "" || j.MemoryFrom == kube.MemoryOption {
		return ""
	}
	return fmt.Sprintf("memory %s: %s", j.Memory, j.MemoryFrom)
}

// whatRuns is a function, or the image of a program; of a pack with its workers.
func whatRuns(j kube.JobStatus) string {
	switch {
	case j.Function == "":
		return j.Image
	case j.Workers == 0:
		return j.Function
	}
	what := fmt.Sprintf("%s, many calls by %s", j.Function, text.Count(j.Workers, "worker"))
	var more []string
	if j.Succeeded > 0 {
		more = append(more, fmt.Sprintf("%d done", j.Succeeded))
	}
	if j.FailedPods > 0 {
		more = append(more, text.Count(j.FailedPods, "pod")+" failed")
	}
	if len(more) > 0 {
		what += ": " + strings.Join(more, ", ")
	}
	return what
}

func complaintOf(j kube.JobStatus) string {
	switch {
	case j.Message == "":
		return ""
	case j.Reason == "":
		return "! " + j.Message
	}
	return fmt.Sprintf("! %s: %s", j.Reason, j.Message)
}

// took is how long a program has run; "" for one that has not.
func took(now time.Time, j kube.JobStatus) string {
	switch {
	case j.Started.IsZero():
		return ""
	case !j.Ended.IsZero():
		now = j.Ended
	case j.State != kube.Running:
		return ""
	}
	return text.Duration(max(now.Sub(j.Started), 0))
}
