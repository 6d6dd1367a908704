package k8stest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/TrilliantHealth/mops-go/k8s"
	"github.com/TrilliantHealth/mops-go/test/cluster"
)

// playedPods lets simulated pods run until localPods ends them.
func playedPods() k8s.Option { return k8s.Annotation(cluster.AnnotationDuration, "24h") }

// localPods gives simulated pods programs: for each pod of a namespace that runs, a
// process of this machine has the environment of the pod's worker, and the pod ends as
// the process does.
type localPods struct {
	t       *testing.T
	cluster *cluster.Cluster
	program string
	running sync.WaitGroup
	seen    map[types.UID]func() // by pod: stops its process
	jobs    tally                // that had not ended
	pods    tally
}

// tally counts objects of the cluster.
type tally struct {
	live       map[types.UID]bool
	most, ever int // at a time, and in all
}

func (c *tally) count(uid types.UID, live bool) {
	if c.live == nil {
		c.live = map[types.UID]bool{}
	}
	if _, ok := c.live[uid]; !ok {
		c.ever++
		c.live[uid] = true
	}
	c.live[uid] = live
	now := 0
	for _, live := range c.live {
		if live {
			now++
		}
	}
	c.most = max(c.most, now)
}

// playPods plays the pods of a new namespace, until stop is called. What was seen of
// them may be read then.
func playPods(t *testing.T, c *cluster.Cluster, namespace, program string) (p *localPods, stop func()) {
	t.Helper()
	p = &localPods{t: t, cluster: c, program: program, seen: map[types.UID]func(){}}
	ctx, cancel := context.WithCancel(t.Context())
	pods, err := c.Client().CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := c.Client().BatchV1().Jobs(namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		follow(ctx, t, pods, func(gone bool, pod *corev1.Pod) { p.pod(ctx, gone, pod) })
		for _, stop := range p.seen {
			stop()
		}
		p.running.Wait()
	})
	watching.Go(func() {
		follow(ctx, t, jobs, func(gone bool, job *batchv1.Job) {
			p.jobs.count(job.UID, !gone && job.Status.CompletionTime == nil && !failed(job))
		})
	})
	stop = sync.OnceFunc(func() { cancel(); watching.Wait() })
	t.Cleanup(stop)
	return p, stop
}

func failed(job *batchv1.Job) bool {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobFailed && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

// follow hands on what happens to objects, until ctx ends.
func follow[Object runtime.Object](ctx context.Context, t *testing.T, events watch.Interface, see func(gone bool, object Object)) {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-events.ResultChan():
			object, is := event.Object.(Object)
			switch {
			case ctx.Err() != nil:
				return
			case !ok || !is:
				t.Errorf("a watch ended: %v", event.Object)
				return
			}
			see(event.Type == watch.Deleted, object)
		}
	}
}

func (p *localPods) pod(ctx context.Context, gone bool, pod *corev1.Pod) {
	ended := gone || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	p.pods.count(pod.UID, !ended)
	stop, known := p.seen[pod.UID]
	switch {
	case known && (ended || pod.DeletionTimestamp != nil):
		stop()
	case !known && !ended && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning:
		life, cancel := context.WithCancel(ctx)
		p.seen[pod.UID] = cancel
		p.running.Go(func() {
			defer cancel()
			p.play(ctx, life, pod)
		})
	}
}

// play runs the program of a pod to its end. When its life ends it is told to end, as a
// kubelet does.
func (p *localPods) play(ctx, life context.Context, pod *corev1.Pod) {
	command := exec.CommandContext(life, p.program)
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		command.Env = append(command.Env, name+"="+os.Getenv(name))
	}
	command.Env = append(command.Env, environment(pod)...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	var said bytes.Buffer
	command.Stderr = &said
	err := command.Run()
	if life.Err() != nil {
		return
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() < 0) {
		p.t.Errorf("the program of pod %s: %v\n%s", pod.Name, err, said.Bytes())
	}
	code := command.ProcessState.ExitCode()
	if code != 0 {
		p.t.Logf("the program of pod %s ended with %d:\n%s", pod.Name, code, said.Bytes())
	}
	if err := exits(ctx, p.cluster, pod, code); err != nil && ctx.Err() == nil && !apierrors.IsNotFound(err) {
		p.t.Errorf("pod %s could not end: %v", pod.Name, err)
	}
}

// environment is what a kubelet would give to the worker of a pod, without shares of
// CPUs and memory, of which a simulated node has none.
func environment(pod *corev1.Pod) (env []string) {
	fields := map[string]string{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": string(pod.UID),
		"spec.nodeName": pod.Spec.NodeName, "spec.serviceAccountName": pod.Spec.ServiceAccountName,
	}
	for key, value := range pod.Annotations {
		fields["metadata.annotations['"+key+"']"] = value
	}
	for _, variable := range pod.Spec.Containers[0].Env {
		value := strings.ReplaceAll(variable.Value, "$$", "$")
		if from := variable.ValueFrom; from != nil {
			if from.FieldRef == nil {
				continue
			}
			value = fields[from.FieldRef.FieldPath]
		}
		env = append(env, variable.Name+"="+value)
	}
	return env
}

// exits ends a simulated pod with an exit code.
func exits(ctx context.Context, c *cluster.Cluster, pod *corev1.Pod, code int) error {
	phase, reason := corev1.PodSucceeded, "Completed"
	if code != 0 {
		phase, reason = corev1.PodFailed, "Error"
	}
	patch := fmt.Sprintf(`{"status":{"phase":%q,"containerStatuses":[{"name":%q,"state":{"running":null,"terminated":{"exitCode":%d,"reason":%q}}}]}}`,
		phase, pod.Spec.Containers[0].Name, code, reason)
	_, err := c.Client().CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	return err
}
