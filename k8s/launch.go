package k8s

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Program is a program for [Launch]: any image, with no mops inside. The image
// is an option, as everything else is.
type Program struct {
	Name    string    // of the Job; "": a new one, made of the image's name
	Command []string  // in place of the image's entry point
	Args    []string  // of the entry point, or the command
	Output  io.Writer // takes the program's output, both streams; nil: os.Stdout

	// Settings are those of the config file and of variables; options have precedence
	// over both.
	Settings executor.Settings
}

// Launch runs a program as a Job, and returns its end with its exit code. An
// error says why there is no exit code: the program could not be started, was
// killed, ran too long; it is an *[executor.Error] if the cluster caused it.
// The Job is tried once unless [Retries] says otherwise. If the context ends,
// Launch deletes the Job; else the Job stays for [TTL].
func Launch(ctx context.Context, p Program, options ...Option) (executor.Exit, error) {
	worker, err := p.Start(ctx, options...)
	if err != nil {
		return executor.Exit{Code: -1}, err
	}
	return kube.Finish(ctx, worker)
}

// Job is the Job that Start would create. Without a Name, each one has another
// name.
func (p Program) Job(ctx context.Context, options ...Option) (*batchv1.Job, error) {
	_, made, err := p.plan(ctx, options)
	if err != nil {
		return nil, err
	}
	return made.job, nil
}

// Start creates the Job, and returns when the cluster has accepted it.
func (p Program) Start(ctx context.Context, options ...Option) (executor.Worker, error) {
	e, made, err := p.plan(ctx, options)
	if err != nil {
		return nil, err
	}
	out := p.Output
	if out == nil {
		out = os.Stdout
	}
	what := p.what(made.task.image)
	w, err := e.start(ctx, executor.Invocation{Function: what, Log: func(chunk []byte) { _, _ = out.Write(chunk) }}, made)
	if err != nil {
		return nil, rejected(what, err)
	}
	return w, nil
}

// what is the program, for people.
func (p Program) what(image string) string {
	if p.Name != "" {
		return p.Name
	}
	return baseName(image)
}

// plan makes the executor that runs the program, and the Job.
func (p Program) plan(ctx context.Context, options []Option) (*Executor, *plan, error) {
	// Only the user knows whether the program is worth another try.
	e := New(slices.Concat([]Option{presetsOf(p.Settings.File), presetsOf(p.Settings.Environ), Retries(0)}, options)...)
	e.settings.launched = true
	if e.settings.err != nil {
		return nil, nil, e.settings.err
	}
	namespace, err := e.settings.target.JobNamespace()
	if err != nil {
		return nil, nil, err
	}
	found, err := e.settings.findImage(ctx)
	if err != nil {
		return nil, nil, err
	}
	image := found.reference
	run := strings.ToLower(rand.Text())
	name := p.Name
	if name == "" {
		name = nameWith(kube.MostName, e.settings.namePrefix, baseName(image), run[:8])
	}
	if why := validation.IsDNS1123Label(name); len(why) > 0 {
		return nil, nil, fmt.Errorf("%q cannot be the name of a Job: %s", name, strings.Join(why, "; "))
	}
	t := task{
		namespace: namespace, name: name, image: image, platforms: found.platforms, command: literal(p.Command), args: literal(p.Args),
		memory:      e.settings.memoryAfter(nil),
		annotations: map[string]string{kube.RunAnnotation: run}, // tells it from another Job of that name
		usualLabels: usualLabels("", baseName(image)),
	}
	job, err := e.settings.job(t)
	if err != nil {
		return nil, nil, err
	}
	return e, &plan{task: t, job: job}, nil
}

// literal are arguments with these very values: Kubernetes would replace
// $(NAME) by a variable.
func literal(arguments []string) (all []string) {
	for _, a := range arguments {
		all = append(all, strings.ReplaceAll(a, "$", "$$"))
	}
	return all
}

// baseName is the last part of an image's name, without tag and digest.
func baseName(image string) string {
	image, _, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	image, _, _ = strings.Cut(image, ":")
	return image
}
