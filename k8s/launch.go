package k8s

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Program is what [Launch] runs: any image, with no mops inside. The image is an
// option, as everything else is.
type Program struct {
	Name    string    // of the Job; "": one that nobody else has, made of the image's name
	Command []string  // in place of the image's entry point
	Args    []string  // of the entry point, or the command
	Output  io.Writer // takes what the program prints, both streams; nil: os.Stdout
}

// Job is the Job that Launch would create.
func (p Program) Job(ctx context.Context, options ...Option) (*batchv1.Job, error) {
	_, job, err := p.plan(ctx, options)
	return job, err
}

// plan makes the executor that runs the program, and the Job.
func (p Program) plan(ctx context.Context, options []Option) (*Executor, *batchv1.Job, error) {
	// Whether it is worth another try, nobody knows but the user.
	e := New(append([]Option{Retries(0)}, options...)...)
	if e.settings.err != nil {
		return nil, nil, e.settings.err
	}
	namespace, err := e.namespace()
	if err != nil {
		return nil, nil, err
	}
	image, err := e.settings.imageName(ctx)
	if err != nil {
		return nil, nil, err
	}
	name := p.Name
	if name == "" {
		name = nameWith(e.settings.namePrefix, baseName(image), strings.ToLower(rand.Text()[:8]))
	}
	if why := validation.IsDNS1123Label(name); len(why) > 0 {
		return nil, nil, fmt.Errorf("%q cannot be the name of a Job: %s", name, strings.Join(why, "; "))
	}
	job, err := e.settings.job(task{
		namespace: namespace, name: name, image: image, command: literal(p.Command), args: literal(p.Args),
		memory: e.settings.memoryAfter(nil), env: e.settings.orchestratorEnv(image),
	})
	return e, job, err
}

// literal are arguments with these very values: Kubernetes would put variables in
// where one says $(NAME).
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
