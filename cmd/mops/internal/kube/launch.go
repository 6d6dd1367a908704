package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	flag "github.com/spf13/pflag"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/k8s"
)

var launchCommand = cli.Command{
	Name:    "k8s launch",
	Usage:   []string{"k8s launch [--json] [flags] IMAGE [-- ARGUMENT…]"},
	Purpose: "run any image as a Job, show what it prints, and exit as it does",
	Teach: `
The image needs nothing of mops. What stands behind -- are arguments of its entry
point; with --command they are the command itself. What the program prints goes to
standard output; all else to standard error. Ctrl-C deletes the Job. One that has
ended stays for a while, for you to look at.

--dry-run prints the Job as kubectl apply -f - would take it, and connects to nothing.
The table [k8s] of the config file and variables MOPS_K8S_… say what no flag says.
What there is no flag for stands in a file: part of a Job, of which the container is
called worker. --json prints how it ended, and what it prints to standard error.`,
	Example: `
mops k8s launch --cpu 2 --memory 4Gi registry.example.com/tool:2.1 -- convert --all
mops k8s launch --gpu 1 --command nvidia/cuda:12.6.0-base-ubuntu24.04 -- nvidia-smi
mops k8s launch --queue night --claim /data=shared registry.example.com/tool:2.1
mops k8s launch --dry-run --file volumes.yaml registry.example.com/tool:2.1`,
	Define: func(flags *flag.FlagSet) cli.Action {
		o := launchOptions{}
		o.define(flags)
		flags.BoolVar(&o.command, "command", false, "what stands behind -- replaces the entry point of the image")
		return o.run
	},
}

type launchOptions struct {
	JobFlags
	name            string
	command, dryRun bool
	detach          bool
}

func (o *launchOptions) define(flags *flag.FlagSet) {
	o.JobFlags.define(flags)
	flags.StringVar(&o.name, "name", "", "the `NAME` of the Job, if it is to have one that you know")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the Job as YAML, and create nothing")
	flags.BoolVar(&o.detach, "detach", false, "do not wait: print the name of the Job, and leave it alone")
}

func (o *launchOptions) run(ctx context.Context, a *cli.App, line cli.Line) error {
	image, err := cli.Line{Args: line.Args}.One("the image")
	if err != nil {
		return err
	}
	p := k8s.Program{Name: o.name, Args: line.Program}
	if o.command {
		p = k8s.Program{Name: o.name, Command: line.Program}
		if len(line.Program) == 0 {
			return cli.Usagef("--command wants a command behind --")
		}
	}
	options, err := o.Options()
	if err != nil {
		return err
	}
	return o.launch(ctx, a, p, append([]k8s.Option{k8s.Image(image)}, options...), nil)
}

// launch runs a program, or shows its Job. Check may refuse the Job; it may be nil.
func (o *launchOptions) launch(ctx context.Context, a *cli.App, p k8s.Program, options []k8s.Option, check func(*batchv1.Job) error) error {
	quiet()
	var err error
	if p.Settings, err = Settings(a); err != nil {
		return err
	}
	options = append(options, k8s.Logger(slog.New(slog.NewTextHandler(a.Stderr, nil))))
	job, err := p.Job(ctx, options...)
	if err != nil {
		return cli.Usage(err)
	}
	if o.dryRun {
		if a.JSON {
			return a.PrintJSON(job)
		}
		text, err := manifest(job)
		if err != nil {
			return err
		}
		_, err = a.Stdout.Write(text)
		return err
	}
	if check != nil {
		if err := check(job); err != nil {
			return err
		}
	}
	p.Name, p.Output = job.Name, atOnce{a.Text}
	if a.JSON {
		p.Output = a.Stderr
	}
	worker, err := p.Start(ctx, options...)
	if err != nil {
		return err
	}
	if o.detach {
		worker.Release()
		return a.Print(launchView{Job: worker.Handle()}, "%s\n", worker.Handle())
	}
	fmt.Fprintf(a.Stderr, "mops: Job %s; Ctrl-C deletes it\n", worker.Handle())
	exit, err := kube.Finish(ctx, worker)
	v := launchView{Job: worker.Handle(), ExitCode: new(exit.Code)}
	if failure, ok := errors.AsType[*executor.Error](err); ok {
		v.Reason, v.Message = failure.Reason, failure.Text()
	} else if err != nil {
		return err
	}
	if a.JSON {
		if err := a.PrintJSON(v); err != nil {
			return err
		}
	}
	switch {
	case err != nil && exit.Code > 0:
		return cli.Exit(exit.Code, err)
	case err != nil:
		return err
	case exit.Code != 0:
		return cli.Exit(exit.Code, fmt.Errorf("the program ended with exit code %d", exit.Code))
	}
	return nil
}

// atOnce is text that is not held back.
type atOnce struct{ text *cli.TextWriter }

func (w atOnce) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	return n, errors.Join(err, w.text.Flush())
}

// launchView is what launch prints for programs.
type launchView struct {
	Job      string          `json:"job"`                 // namespace/name
	ExitCode *int            `json:"exit_code,omitempty"` // -1 where the program had none
	Reason   executor.Reason `json:"reason,omitempty"`
	Message  string          `json:"message,omitempty"`
}
