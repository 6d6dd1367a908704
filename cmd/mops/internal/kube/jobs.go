package kube

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

var jobsCommand = cli.Command{
	Name:    "k8s jobs",
	Usage:   []string{"k8s jobs [--json] [--watch] [flags]"},
	Purpose: "list Jobs of mops: how they are and what they run, or watch them",
	Teach: `
It lists the Jobs that calls and mops k8s launch made, oldest first: how old they are,
how long their program has run, what they run, the memo URI of the call, and behind a
"!" why one waits or failed. A Job that has ended stays for an hour (k8s.TTL).

A Job is queued (suspended, until Kueue lets it go), waiting (its program does not run
yet, or not again yet), running, stopping (being deleted), succeeded or failed.

--watch goes on and prints each Job whose state changes, until Ctrl-C. --json prints
all that is known of them; with --watch one object after the other.`,
	Example: `
mops k8s jobs
mops k8s jobs --watch --namespace weather
mops k8s jobs --json | jq -r '.[] | select(.state == "failed").memo_uri'`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := jobsOptions{}
		o.define(flags)
		flags.BoolVar(&o.watch, "watch", false, "go on, and print what changes")
		flags.BoolVar(&o.all, "all-namespaces", false, "Jobs of all namespaces")
		return o.run
	},
}

type jobsOptions struct {
	ClusterFlags
	watch, all bool
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
	jobs, err := c.jobs(ctx)
	if err != nil {
		return c.explain(err, "")
	}
	if a.JSON {
		return a.PrintJSON(jobs)
	}
	if len(jobs) == 0 {
		fmt.Fprintf(a.Text, "There is no Job of mops in %s.\n", c.where())
		return nil
	}
	rows := [][]string{{"JOB", "STATE", "AGE", "TOOK", "WHAT"}}
	for _, job := range jobs {
		rows = append(rows, o.row(a, job))
	}
	text.Table(a.Text, "", rows, "<<>>")
	return nil
}

// where is the namespace and the cluster, for people.
func (c *Cluster) where() string {
	if c.Namespace == metav1.NamespaceAll {
		return "any namespace of " + c.Cluster
	}
	return fmt.Sprintf("namespace %s of %s", c.Namespace, c.Cluster)
}

// jobs are all Jobs of mops.
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
	all := []kube.JobStatus{}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		all = append(all, kube.StatusOf(job, pods[job.Namespace+"/"+job.Name]))
	}
	slices.SortStableFunc(all, func(a, b kube.JobStatus) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// jobOf is "namespace/name" of the Job that a pod belongs to.
func jobOf(pod *corev1.Pod) string {
	return pod.Namespace + "/" + pod.Labels[batchv1.JobNameLabel]
}

func (o *jobsOptions) row(a *cli.App, j kube.JobStatus) []string {
	name, what := j.Job, j.Function
	if o.all {
		name = j.Namespace + "/" + j.Job
	}
	if what == "" {
		what = j.Image
	}
	for _, more := range []string{j.MemoURI, complaintOf(j)} {
		if more != "" {
			what += "\n" + more
		}
	}
	return []string{name, string(j.State), text.Duration(a.Now().Sub(j.Created)), took(a.Now(), j), what}
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
