package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	flag "github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

var stopCommand = cli.Command{
	Name: "k8s stop",
	Usage: []string{
		"k8s stop [--json] [flags] JOB…",
		"k8s stop [--json] [--function F] [--state STATE] [--all] [--yes] [flags]",
	},
	Purpose: "delete Jobs of mops, and wait until their pods are gone",
	Teach: `
JOB is the name of a Job, or NAMESPACE/NAME. Without one, --function and --state choose
Jobs, as for mops k8s jobs, and --all takes all; then the command only says which it
would stop, and stops them with --yes. It leaves alone what has ended, unless sidecars
keep its Job going, and Jobs that are not of mops.

A program gets SIGTERM, and has the Job's grace (k8s.StopGrace) to end. The command
returns when the pods are gone. Ctrl-C does not take the deletion back. Whoever waits
for the call is told that its Job was deleted; with mops k8s orchestrate, stop the
orchestrator's Job, which stops its workers.`,
	Example: `
mops k8s stop mops-forecast-train-x4c6mn2kqz7wq3vb
mops k8s stop --function forecast/train --state queued,pending
mops k8s stop --function forecast/train --state queued,pending --yes`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := stopOptions{}
		o.ClusterFlags.define(flags)
		o.selection.define(flags)
		flags.BoolVar(&o.all, "all", false, "all Jobs of mops in the namespace")
		flags.BoolVar(&o.yes, "yes", false, "stop those that are chosen, rather than list them")
		return o.run
	},
	Values: map[string]cli.Completer{"function": roots.CompleteFunction, "state": cli.OneOf(kube.States...)},
}

type stopOptions struct {
	ClusterFlags
	selection
	all, yes bool
}

// stopView is what stop prints for programs.
type stopView struct {
	Stopped bool             `json:"stopped"` // rather than only chosen
	Jobs    []kube.JobStatus `json:"jobs"`    // as they were before
}

func (o *stopOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	names, err := o.names(line)
	if err != nil {
		return err
	}
	c, err := Connect(a, o.ClusterFlags)
	if err != nil {
		return err
	}
	there, err := c.jobs(ctx)
	if err != nil {
		return c.explain(err, "")
	}
	jobs, err := o.choose(ctx, c, there, names)
	if err != nil {
		return err
	}
	v := stopView{Stopped: (o.yes || len(names) > 0) && len(jobs) > 0, Jobs: jobs}
	if v.Stopped {
		if err := c.stop(ctx, a, jobs); err != nil {
			return c.explain(err, "")
		}
	}
	if a.JSON {
		return a.PrintJSON(v)
	}
	switch {
	case len(jobs) == 0 && len(names) > 0:
		fmt.Fprintln(a.Text, "Nothing was to be stopped: what was named has ended.")
	case len(jobs) == 0:
		fmt.Fprintf(a.Text, "There is no Job of mops%s in %s that could be stopped.\n", o.words(), c.where())
	case v.Stopped:
		fmt.Fprintf(a.Text, "Stopped %s\n", counts(jobs))
	default:
		(&jobsOptions{}).show(a, jobs)
		fmt.Fprintf(a.Text, "%s\nNothing was stopped: --yes stops them.\n", counts(jobs))
	}
	return nil
}

// names are the Jobs that are named; their namespace becomes the command's.
func (o *stopOptions) names(line cli.Line) (names []string, err error) {
	if len(line.Program) > 0 {
		return nil, cli.Usagef("k8s stop takes names of Jobs, and nothing behind --")
	}
	chosen := o.function != "" || len(o.states) > 0
	switch {
	case len(line.Args) > 0 && (chosen || o.all):
		return nil, cli.Usagef("name Jobs, or choose them with --function, --state or --all")
	case len(line.Args) == 0 && !chosen && !o.all:
		return nil, cli.Usagef("no Job is named; --function, --state or --all choose some")
	case slices.ContainsFunc(o.states, kube.State.Ended):
		return nil, cli.Usagef("a Job that has ended cannot be stopped")
	}
	for _, arg := range line.Args {
		namespace, name, qualified := strings.Cut(arg, "/")
		switch {
		case !qualified:
			name = arg
		case o.namespace != "" && o.namespace != namespace:
			return nil, cli.Usagef("%s is not in namespace %s: stop Jobs of one namespace at a time", arg, o.namespace)
		default:
			o.namespace = namespace
		}
		names = append(names, name)
	}
	return names, nil
}

// choose finds the Jobs that are to be stopped.
func (o *stopOptions) choose(ctx context.Context, c *Cluster, there []kube.JobStatus, names []string) ([]kube.JobStatus, error) {
	jobs := []kube.JobStatus{}
	for _, name := range names {
		if slices.ContainsFunc(there, func(j kube.JobStatus) bool { return j.Job == name }) {
			continue
		}
		_, err := c.Client.BatchV1().Jobs(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil, cli.NotFoundf("there is no Job %s in %s; nothing was stopped", name, c.where())
		case err != nil:
			return nil, c.explain(err, "")
		}
		return nil, fmt.Errorf("the Job %s in %s is not of mops; nothing was stopped", name, c.where())
	}
	for _, job := range there {
		if (!job.State.Ended() || job.Leftover) && o.has(job) && (len(names) == 0 || slices.Contains(names, job.Job)) {
			jobs = append(jobs, job)
		}
	}
	return jobs, nil
}

const (
	deletesAtOnce = 16
	lookAgain     = time.Second
)

// stop deletes Jobs in the foreground, and returns when they are gone.
func (c *Cluster) stop(ctx context.Context, a *cli.App, jobs []kube.JobStatus) error {
	client := c.Client.BatchV1().Jobs(c.Namespace)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for _, job := range jobs {
		group.Go(func() error {
			err := client.Delete(groupCtx, job.Job, metav1.DeleteOptions{
				PropagationPolicy: new(metav1.DeletePropagationForeground), Preconditions: &metav1.Preconditions{UID: &job.UID},
			})
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // another Job has its name by now
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("not all Jobs were stopped: %w", err)
	}
	var left atomic.Int64
	left.Store(int64(len(jobs)))
	status := a.Status(func() string { return "waiting for the pods of " + text.Count(left.Load(), "Job") + " to end" })
	defer status.Stop()
	return wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (bool, error) {
		list, err := client.List(ctx, metav1.ListOptions{LabelSelector: kube.Selector})
		if err != nil {
			return false, fmt.Errorf("the Jobs are being deleted, but whether they are gone is not known: %w", err)
		}
		there := map[types.UID]bool{}
		for _, job := range list.Items {
			there[job.UID] = true
		}
		n := int64(0)
		for _, job := range jobs {
			if there[job.UID] {
				n++
			}
		}
		left.Store(n)
		return n == 0, nil
	})
}
