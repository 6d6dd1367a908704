package k8sdoctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/doctor"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// podTime is how long one pod may take, with the time until there is room for it.
const podTime = 10 * time.Minute

// pods examines what only pods can tell. They need the permissions that were asked
// for, and a namespace that is there already.
func (e *exam) pods(ctx context.Context) {
	checks := []struct {
		name   string
		wanted bool
		do     func(context.Context)
	}{
		{"pull", e.Image != "", e.pull},
		{"pod", e.Self != nil, e.fromPod},
	}
	for _, check := range checks {
		switch {
		case !check.wanted || ctx.Err() != nil:
		case len(e.denied) > 0 || e.absent:
			e.report.LeftOut = append(e.report.LeftOut, check.name)
		default:
			check.do(ctx)
		}
	}
}

// nothing is a program that no image has: where starting it fails, the image has
// been pulled, and nothing of it has run.
const nothing = "/mops-doctor/runs/nothing"

func (e *exam) pull(ctx context.Context) {
	e.check("pull", "Nodes can pull the image.", "", func() (string, error) {
		began := time.Now()
		_, _, err := e.launch(ctx, k8s.Program{Command: []string{nothing}}, k8s.Image(e.Image))
		if failure, ok := errors.AsType[*executor.Error](err); ok && failure.Reason == executor.NotStarted && strings.Contains(failure.Message, nothing) {
			return fmt.Sprintf("%s was pulled, or was there, within %v", e.Image, time.Since(began).Round(100*time.Millisecond)), nil
		}
		if err == nil {
			err = errors.New("a program that cannot be there ended well: does a webhook change pods?")
		}
		return "", err
	})
}

// launch runs a program and deletes its Job.
func (e *exam) launch(ctx context.Context, p k8s.Program, options ...k8s.Option) (executor.Exit, string, error) {
	ctx, cancel := context.WithTimeout(ctx, podTime)
	defer cancel()
	var out bytes.Buffer
	p.Output, p.Settings = &out, e.By
	options = append(append([]k8s.Option{k8s.StartGrace(15 * time.Second), k8s.RoomGrace(3 * time.Minute), k8s.TTL(time.Minute)}, e.Jobs...), options...)
	worker, err := p.Start(ctx, options...)
	if err != nil {
		return executor.Exit{Code: -1}, "", err
	}
	exit, err := kube.Finish(ctx, worker)
	e.remove(ctx, worker.Handle())
	return exit, out.String(), err
}

// remove deletes a Job that has ended.
func (e *exam) remove(ctx context.Context, handle string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	namespace, name, _ := strings.Cut(handle, "/")
	policy := metav1.DeletePropagationBackground
	err := e.Client.BatchV1().Jobs(namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		e.report.LeftBehind = append(e.report.LeftBehind, "Job "+handle)
		e.say(doctor.Line{Name: "clean", Verdict: doctor.Warn, Rule: "Nothing is left behind.", Found: fmt.Sprintf("the Job %s could not be deleted: %v", handle, err),
			ToDo: "the cluster deletes it by itself a minute after its end"})
	}
}

// fromPod lets the tool examine the root in a pod.
func (e *exam) fromPod(ctx context.Context) {
	var image string
	var platforms []string
	if !e.check("image", "This tool can be pushed as an image.", "see the message; the image of the program is pushed the same way by image.FromSelf", func() (found string, err error) {
		image, platforms, err = e.Self(ctx)
		return image, err
	}) {
		return
	}
	var found []doctor.Line
	e.check("pod", "A pod runs, and sends back what it prints.", "", func() (string, error) {
		began := time.Now()
		exit, out, err := e.launch(ctx, k8s.Program{Args: []string{"doctor", "--json", "--quick", e.Root}},
			k8s.Image(image), k8s.Platforms(platforms...), k8s.Env("MOPS_PROGRESS", "off"))
		if err != nil {
			return "", err
		}
		var report doctor.Report
		if begin := strings.Index(out, "{"); begin < 0 || json.NewDecoder(strings.NewReader(out[begin:])).Decode(&report) != nil {
			return "", fmt.Errorf("the tool in the pod ended with exit code %d and said: %s", exit.Code, excerpt(out))
		}
		found = report.Lines
		return fmt.Sprintf("it took %v in all", time.Since(began).Round(100*time.Millisecond)), nil
	})
	for _, line := range found {
		line.Name = "pod: " + line.Name
		e.say(line)
	}
}

// excerpt is the end of what a program printed.
func excerpt(text string) string {
	const most = 500
	if text = strings.TrimSpace(text); text == "" {
		return "nothing"
	}
	return text[max(len(text)-most, 0):]
}
