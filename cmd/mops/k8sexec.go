package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/TrilliantHealth/mops-go/internal/progress"
	"github.com/TrilliantHealth/mops-go/k8s"
)

// podShell runs commands in a container.
type podShell struct {
	pod  string // for people
	mops bool   // the container's program uses mops

	// run runs one command to its end; in may be nil.
	run func(ctx context.Context, command []string, in io.Reader, out, errs io.Writer) error
}

// errStopped ends a stream that nobody reads or writes any more.
var errStopped = errors.New("stopped")

// find finds the pod of a name, or the newest one of the Job of that name.
func (c *cluster) find(ctx context.Context, name, container string) (*podShell, error) {
	pods := c.client.CoreV1().Pods(c.Namespace)
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		found, listErr := pods.List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + name})
		switch {
		case listErr != nil:
			return nil, listErr
		case len(found.Items) == 0:
			return nil, notFoundf("there is no pod %s in namespace %s of %s, and no Job of that name that has one", name, c.Namespace, c.Cluster)
		}
		pod = new(slices.MaxFunc(found.Items, func(a, b corev1.Pod) int {
			return cmp.Compare(a.CreationTimestamp.UnixNano(), b.CreationTimestamp.UnixNano())
		}))
	} else if err != nil {
		return nil, err
	}
	if pod.Status.Phase != corev1.PodRunning {
		return nil, fmt.Errorf("pod %s does not run, its phase is %s: files can be copied only while it does", pod.Name, pod.Status.Phase)
	}
	if container == "" {
		container = k8s.Container(pod)
	}
	return &podShell{pod: pod.Name, mops: k8s.UsesMops(pod), run: c.exec(pod.Name, container)}, nil
}

// exec runs commands as kubectl does: over a WebSocket, or SPDY where a cluster or
// a proxy does not know those.
func (c *cluster) exec(pod, container string) func(context.Context, []string, io.Reader, io.Writer, io.Writer) error {
	return func(ctx context.Context, command []string, in io.Reader, out, errs io.Writer) error {
		core := rest.CopyConfig(c.Config)
		core.APIPath, core.GroupVersion, core.NegotiatedSerializer = "/api", &corev1.SchemeGroupVersion, scheme.Codecs
		client, err := rest.RESTClientFor(core)
		if err != nil {
			return err
		}
		address := client.Post().Resource("pods").Namespace(c.Namespace).Name(pod).SubResource("exec").VersionedParams(
			&corev1.PodExecOptions{Container: container, Command: command, Stdin: in != nil, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
		socket, err := remotecommand.NewWebSocketExecutor(c.Config, "GET", address.String())
		if err != nil {
			return err
		}
		spdy, err := remotecommand.NewSPDYExecutor(c.Config, "POST", address)
		if err != nil {
			return err
		}
		either, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
			return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
		})
		if err != nil {
			return err
		}
		return either.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: out, Stderr: errs})
	}
}

// tar does something with the container's tar, or what stands in for it.
func (p *podShell) tar(arguments, standIn []string, do func(command []string, errs io.Writer) error) error {
	ways := [][]string{append([]string{"tar"}, arguments...)}
	if p.mops {
		ways = append(ways, standIn)
	}
	for _, command := range ways {
		var errs complaint
		err := do(command, &errs)
		if err == nil || !isMissing(err, command[0], errs.text.String()) {
			return errs.explain(err)
		}
	}
	if p.mops {
		return fmt.Errorf("%s has no tar, and its program cannot be started beside the one that runs", p.pod)
	}
	return fmt.Errorf("the image of %s has no tar, and its program does not use mops, which could stand in; "+
		"take an image that has tar, or put one beside it: kubectl debug -it %s --image=busybox --target=CONTAINER sees its files below /proc/1/root", p.pod, p.pod)
}

// complaint is the beginning of what a command writes to its standard error.
type complaint struct{ text bytes.Buffer }

func (c *complaint) Write(p []byte) (int, error) {
	const most = 4 << 10
	c.text.Write(p[:min(len(p), max(most-c.text.Len(), 0))])
	return len(p), nil
}

// explain puts it into the error with which the command ended.
func (c *complaint) explain(err error) error {
	said := strings.TrimSpace(c.text.String())
	if err == nil || said == "" {
		return err
	}
	return fmt.Errorf("%s (%w)", progress.CleanLines(said), err)
}

// isMissing says that a command could not be run since there is no such program.
// Which words say so depends on the container's runtime.
func isMissing(err error, program, said string) bool {
	code := 0
	if exit, ok := errors.AsType[utilexec.CodeExitError](err); ok {
		code = exit.Code
	}
	text := err.Error() + said
	named := strings.Contains(text, program) && (strings.Contains(text, "not found") || strings.Contains(text, "no such file"))
	return named && (code == 126 || code == 127 || strings.Contains(text, "exec"))
}
