package k8s

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// Workers of whom nobody hears.
//
// The problem: a node that lost its power, its network or its kubelet keeps its
// pods, as far as the cluster knows. Their status stays as it was. Once they are
// deleted, they stay Terminating until somebody removes the node, and their Jobs
// make no others meanwhile. From the cluster alone nobody can tell whether the
// worker runs on.
//
// The idea: the worker itself gives signs of life, since it renews its session
// in the store. When the cluster has a sign that the node does not answer, the
// executor asks for them. If there are none for [SilenceGrace], it deletes the
// Job and the pod by force, and the attempt ends with NodeLost. Another attempt
// goes elsewhere.
//
// Why it is right: a worker that renews its session is left alone. One that was
// given up and runs all the same has lost its lease: the next attempt has it,
// and results are written once.

// silence is what is known of a worker that may have fallen silent. It is
// guarded by the worker's mutex.
type silence struct {
	kube.Silence
	since time.Time // when the sign was first seen
	heard time.Time // when the worker was last known to live; since, if never
	asked time.Time // when Wait or Stop was last told to look
	told  bool      // a warning was logged
}

// consider notes the sign that the worker's node does not answer, if its pods show
// one.
func (s *silence) consider(pods []*corev1.Pod, now time.Time) {
	sign := kube.SilenceOf(pods)
	switch {
	case sign == nil:
		*s = silence{}
	case s.since.IsZero() || s.Why != sign.Why && !s.told:
		*s = silence{Silence: *sign, since: now, heard: now}
	}
}

// listen has Wait or Stop look into a sign that has lasted.
func (w *worker) listen(now time.Time) {
	const again = 5 * time.Second
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.silence
	if !w.left && !s.since.IsZero() && now.Sub(s.since) >= s.For && now.Sub(s.asked) >= again {
		s.asked = now
		select {
		case w.silent <- struct{}{}:
		default:
		}
	}
}

// hearken asks whether a worker lives whose node does not answer, and gives it up
// once it has been silent for too long. If that fails, a later try follows.
func (w *worker) hearken(ctx context.Context) {
	grace := w.settings.silenceGrace
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	lives, err := w.lives(asking)
	w.mu.Lock()
	s := &w.silence
	if s.since.IsZero() || err != nil { // the node answers again; or the store does not, and nobody can tell
		w.mu.Unlock()
		return
	}
	now := time.Now()
	if lives {
		s.heard = now
	}
	first := !s.told
	s.told = true
	quiet, why, node := now.Sub(s.heard), s.Why, s.Node
	w.mu.Unlock()
	log := w.settings.log()
	if first {
		log.Warn("the node of a worker does not answer; the worker is left alone while it gives signs of life",
			"worker", w.name, "node", node, "sign", why, "given_up_after", grace)
	}
	if lives || grace < 0 || quiet < grace {
		return
	}
	err = w.giveUp(ctx, &executor.Error{Reason: executor.NodeLost, Message: fmt.Sprintf(
		"the %s was given up: its node %s %s, and it gave no sign of life for %v; its pod was deleted by force",
		w.name, node, why, quiet.Round(time.Second))})
	if err != nil && ctx.Err() == nil {
		log.Warn("a silent worker could not be given up yet", "worker", w.name, "node", node, "error", err)
	}
}

// node is the node that does not answer; of a pack, one of them.
func (w *worker) node() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.silence.Node
}

// giveUp deletes the Job and its pods without waiting for their nodes, and ends the
// worker.
func (w *worker) giveUp(ctx context.Context, why *executor.Error) error {
	_, pods := w.watch.state(w.job)
	former := w.blame(nil, why) // first: the cluster may tell of the end before it answers
	if err := w.delete(ctx, metav1.DeletePropagationBackground); err != nil {
		w.blame(why, former)
		return err
	}
	for _, pod := range kube.Newest(pods) {
		if !kube.IsAlive(pod) {
			continue
		}
		if err := w.deleteByForce(ctx, pod); err != nil {
			w.settings.log().Warn("the pod of a worker that was given up could not be deleted, and stays until its node answers or is removed",
				"worker", w.name, "pod", pod.Name, "error", err)
		}
	}
	w.output.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.left {
		w.end(kube.Verdict{Ended: true, Exit: executor.Exit{Code: -1, Err: why}})
	}
	return nil
}

// blame replaces why this process deletes the Job, unless somebody else said why, and
// returns what stood there.
func (w *worker) blame(former, why *executor.Error) *executor.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.cause
	if was == former {
		w.cause = why
	}
	return was
}

// deleteByForce deletes a pod without asking its node.
func (w *worker) deleteByForce(ctx context.Context, pod *corev1.Pod) error {
	c := w.watch.cluster
	err := c.write(ctx, func(ctx context.Context) error {
		return c.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64(0)), Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return c.explain(err, "delete", "pods", pod.Namespace)
}
