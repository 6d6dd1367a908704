package kube

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
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

// errLost says that the connection ended before the command said how it did.
var errLost = errors.New("the pod did not confirm it: may the program write to that folder, and does the pod still run? Try again")

// find finds the pod of a name, or the newest one of the Job of that name.
func (c *Cluster) find(ctx context.Context, name, container string) (*podShell, error) {
	pods := c.Client.CoreV1().Pods(c.Namespace)
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		found, listErr := pods.List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + name})
		switch {
		case listErr != nil:
			return nil, listErr
		case len(found.Items) == 0:
			return nil, cli.NotFoundf("there is no pod %s in namespace %s of %s, and no Job of that name that has one", name, c.Namespace, c.Cluster)
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
		container = kube.Container(pod)
	}
	return &podShell{pod: pod.Name, mops: kube.UsesMops(pod), run: c.exec(pod.Name, container)}, nil
}

// exec runs commands as kubectl does: over a WebSocket, or SPDY where a cluster or
// a proxy does not know those.
func (c *Cluster) exec(pod, container string) func(context.Context, []string, io.Reader, io.Writer, io.Writer) error {
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
func (p *podShell) tar(ctx context.Context, arguments, standIn []string, count *moved, do func(ctx context.Context, command []string, errs io.Writer) error) error {
	ways := [][]string{append([]string{"tar"}, arguments...)}
	if p.mops {
		ways = append(ways, standIn)
	}
	var lost error
	for _, command := range ways {
		ctx, stop := context.WithCancelCause(ctx)
		errs := &complaint{count: count, stop: stop}
		err := do(ctx, command, errs)
		said := errs.close()
		stop(nil)
		switch {
		case said != "" && (err == nil || err == errLost || context.Cause(ctx) == errStuck):
			return errors.New(said) // how it ended did not come through
		case err == errLost: // perhaps that there is no such program
			lost = err
			continue
		case err != nil && isMissing(err, command[0], said):
			continue
		case err != nil && said != "":
			return fmt.Errorf("%s (%w)", said, err)
		}
		return err
	}
	if lost != nil {
		return lost
	}
	if p.mops {
		return fmt.Errorf("%s has no tar, and its program cannot be started beside the one that runs", p.pod)
	}
	return fmt.Errorf("the image of %s has no tar, and its program does not use mops, which could stand in; "+
		"take an image that has tar, or put one beside it: kubectl debug -it %s --image=busybox --target=CONTAINER sees its files below /proc/1/root", p.pod, p.pod)
}

// errStuck ends what complained and then did nothing more.
var errStuck = errors.New("it is stuck")

// complaint is the beginning of what a command writes to its standard error. A
// command that ends before it has read all that it is sent may never be reported as
// ended (seen with Kubernetes 1.34 and containerd 1.6), so one that complains and
// then moves nothing for a while is stopped.
type complaint struct {
	count *moved
	stop  context.CancelCauseFunc

	mu    sync.Mutex
	text  bytes.Buffer
	timer *time.Timer // of the next look at the count; nil while nothing was said
	over  bool        // whoever still writes is not heard
}

func (c *complaint) Write(p []byte) (int, error) {
	const most = 4 << 10
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(p[:min(len(p), max(most-c.text.Len(), 0))])
	if c.timer == nil && !c.over {
		c.watch(-1)
	}
	return len(p), nil
}

// watch looks in a while whether anything was moved since; the caller holds mu.
func (c *complaint) watch(before int64) {
	c.timer = time.AfterFunc(3*time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch now := c.count.bytes.Load(); {
		case c.over:
		case now == before:
			c.stop(errStuck)
		default:
			c.watch(now)
		}
	})
}

// close returns what was said.
func (c *complaint) close() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
	return text.CleanLines(strings.TrimSpace(c.text.String()))
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
