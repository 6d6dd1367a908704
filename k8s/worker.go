package k8s

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// worker is the worker of a Job, or the workers of a pack's, that this process created or attached to. It has no goroutine
// but for its log; the watch lets it look.
type worker struct {
	watch    *watch
	settings *settings
	job      string
	name     string // for people
	protocol bool   // exit codes are those of mops workers
	workers  int    // of a pack: how many share its calls; 0: it is one call
	output   *output
	tell     func(executor.Stage)                    // told how far it is
	placed   func(executor.Place)                    // told where it is
	explain  func(why string)                        // told why it is queued
	lives    func(ctx context.Context) (bool, error) // whether it gives signs of life

	done     chan struct{} // closed when it has ended; then exit is set
	stuck    chan struct{} // closed when it will not start; then cause is set
	silent   chan struct{} // has a token when the worker may have fallen silent; see hearken
	released chan struct{}
	settle   sync.Once // guards the work after done
	quoting  sync.Once // guards that after stuck

	mu      sync.Mutex
	uid     types.UID // of the Job; "" until it is known
	started time.Time // when it was created or attached to; zero before
	seen    bool      // the watch had it
	gone    bool      // and has it no more
	left    bool      // ended or released: the watch has dropped it
	stage   executor.Stage
	place   executor.Place
	pods    map[string]*corev1.Pod // as last seen
	cause   *executor.Error        // why this process deleted the Job
	exit    executor.Exit
	pod     string // the one whose end it is
	hazy    time.Time
	kept    kept
	silence silence
	inquiry inquiry
	queue   queue

	setbacks []kube.Setback
	told     map[string]bool // pods whose setback was logged
	stranded string          // the pod that endStranded must end
	leftover bool            // the Job goes on though the worker has ended
}

// kept is what keeps a worker from starting, and since when.
type kept struct {
	by     *kube.Obstacle
	since  time.Time
	warned bool
}

// newWorker makes the watch tell the worker about its Job.
func newWorker(w *watch, s *settings, job string, inv executor.Invocation) *worker {
	worker := &worker{
		watch: w, settings: s, job: job, protocol: inv.MemoURI != "", workers: inv.Workers,
		name: fmt.Sprintf("%s (Job %s/%s)", kindOf(inv), w.namespace, job),
		tell: inv.Tell, placed: inv.Placed, explain: inv.Explain, lives: inv.Lives,
		done: make(chan struct{}), stuck: make(chan struct{}), silent: make(chan struct{}, 1), released: make(chan struct{}),
	}
	if worker.tell == nil {
		worker.tell = func(executor.Stage) {}
	}
	if worker.placed == nil || worker.workers > 0 { // many pods are in no one place
		worker.placed = func(executor.Place) {}
	}
	if worker.explain == nil {
		worker.explain = func(string) {}
	}
	if worker.lives == nil {
		worker.lives = func(context.Context) (bool, error) { return false, nil }
	}
	worker.goes(executor.Pending)
	worker.output = newOutput(worker, inv.Log)
	w.add(worker)
	return worker
}

// kindOf is what runs, for people.
func kindOf(inv executor.Invocation) string {
	switch {
	case inv.MemoURI == "":
		return "program " + inv.Function
	case inv.Workers > 0:
		return "pack of " + inv.Function
	}
	return "worker of " + inv.Function
}

// look decides anew on the worker's state.
func (w *worker) look(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left {
		return
	}
	job, pods := w.watch.state(w.job)
	if job != nil && w.uid != "" && job.UID != w.uid {
		job = nil
	}
	if job != nil {
		w.seen = true
	}
	w.output.see(pods)
	w.silence.consider(pods, now)
	had := len(w.pods)
	former := w.former(pods)
	w.queue.consider(job, w.pods, now)
	view := kube.View{
		Worker: w.name, Job: job, Pods: pods, Former: former, Protocol: w.protocol, Workers: w.workers,
		Turn: w.queue.turn, Suspended: w.queue.took,
		Gone: job == nil && (w.seen || w.gone), Unseen: !w.seen, Events: w.inquiry.answer(w.job, pods),
		Disruptions: w.settings.disruptions,
	}
	v := kube.Decide(view)
	before := w.stage
	if p := placeOf(pods); p != w.place && p.Host != "" {
		w.place = p
		w.placed(p)
	}
	if !v.Ended {
		w.goes(kube.StageOf(view))
		w.queued(v.Stuck)
	}
	if len(w.pods) > had || w.stage != before || v.Ended {
		w.watch.moves(now)
	}
	w.setbacks, w.stranded = v.Setbacks, v.Stranded
	switch {
	case v.Hazy && (w.hazy.IsZero() || now.Sub(w.hazy) < hazyFor):
		if w.hazy.IsZero() {
			w.hazy = now
		}
	case v.Ended:
		w.end(v)
	case v.Hopeless != nil:
		w.abandon(v.Hopeless, v.Pod)
	default:
		w.inquiry.consider(w, job, pods)
		w.keep(crowded(v.Stuck, w.watch.namespace), now)
	}
}

// goes notes how far the worker is.
func (w *worker) goes(stage executor.Stage) {
	if w.stage == stage {
		return
	}
	w.runs(-1)
	w.stage = stage
	w.runs(1)
	w.tell(stage)
}

// runs has the watch count the worker, if it runs.
func (w *worker) runs(more int) {
	if w.stage == executor.Running {
		w.watch.runs(more)
	}
}

// former are the pods that are gone, oldest first: nothing else records how
// they ended.
func (w *worker) former(pods []*corev1.Pod) (gone []*corev1.Pod) {
	there := map[string]bool{}
	for _, pod := range pods {
		there[pod.Name] = true
		set(&w.pods, pod.Name, pod)
	}
	for name, pod := range w.pods {
		if !there[name] {
			gone = append(gone, pod)
		}
	}
	slices.SortFunc(gone, kube.ByAge)
	return gone
}

// hazyFor is how long after the news of a Job that of its pod may come.
const hazyFor = 5 * time.Second

// end notes how the worker ended, and takes it off the watch.
func (w *worker) end(v kube.Verdict) {
	w.exit, w.pod, w.leftover = v.Exit, v.Pod, v.Leftover
	if w.cause != nil && v.Exit.Code != executor.ExitOK {
		w.exit.Err = w.cause
	}
	w.leave()
	close(w.done)
}

func (w *worker) leave() {
	w.left = true
	w.runs(-1)
	w.watch.remove(w)
	w.watch.leave()
}

// keep notes what keeps the worker from starting, and gives up if that lasts
// too long.
func (w *worker) keep(by *kube.Obstacle, now time.Time) {
	if by == nil || w.cause != nil {
		w.kept = kept{}
		return
	}
	if old := w.kept.by; old == nil || old.Reason != by.Reason || by.Reason == "" && old.Kind != by.Kind {
		w.kept = kept{by: by, since: now}
	} else if len(by.Message) >= len(old.Message) || by.Reason == "" {
		w.kept.by = by // of "ErrImagePull: …" and "ImagePullBackOff" the one that says more; of a queue the latest
	}
	by = w.kept.by
	since := w.kept.since
	if by.Kind == kube.NoRoom {
		since = later(since, w.watch.busySince())
	}
	if grace := w.settings.grace(by.Kind); grace >= 0 && now.Sub(since) >= grace {
		w.cause = by.Err(w.name, now.Sub(w.kept.since))
		close(w.stuck)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *worker) Handle() string { return w.watch.namespace + "/" + w.job }

// Wait returns when the worker has ended and inv.Log has got its output, as far
// as that is shown. It deletes a Job that cannot start. After Release it fails.
func (w *worker) Wait(ctx context.Context) (executor.Exit, error) {
	for !w.ended() {
		select {
		case <-w.done:
		case <-w.released:
			return executor.Exit{}, w.errReleased()
		case <-ctx.Done():
			return executor.Exit{}, ctx.Err()
		case <-w.silent:
			w.hearken(ctx)
		case <-w.stuck:
			w.quote()
			if err := w.Stop(ctx); err != nil {
				return executor.Exit{}, err
			}
		}
	}
	w.settled(ctx)
	return w.exit, nil
}

// settled returns when the output is complete and the Job is deleted, if it has
// to be. The worker has ended.
func (w *worker) settled(ctx context.Context) {
	w.settle.Do(func() {
		w.output.close()
		if w.exit.Err != nil {
			w.exit.Err.Tail = w.lastLines(w.exit.Err.Tail)
		}
		w.clear(ctx)
	})
}

// Stop deletes the Job with its pod, and returns when both are gone; it does not
// wait for a node that does not answer. If the context ends, the Job is deleted all
// the same, if the cluster answers.
func (w *worker) Stop(ctx context.Context) error {
	w.mu.Lock()
	switch {
	case w.left && !w.ended():
		w.mu.Unlock()
		return w.errReleased()
	case w.left:
		w.mu.Unlock()
		w.settled(ctx)
		return nil
	case w.cause == nil:
		w.cause = &executor.Error{Reason: executor.Signalled, Message: "the " + w.name + " was stopped: its Job was deleted", Err: context.Canceled}
	}
	cause := w.cause
	w.mu.Unlock()
	if err := w.delete(ctx, metav1.DeletePropagationForeground); err != nil {
		w.output.cancel()
		return fmt.Errorf("stop the %s: %w", w.name, err)
	}
	for !w.ended() {
		select {
		case <-w.done:
		case <-w.released:
			return w.errReleased()
		case <-w.silent:
			w.settings.log().Warn("a worker was stopped whose node does not answer; its pod is deleted by force", "worker", w.name, "node", w.node())
			if err := w.giveUp(ctx, cause); err != nil {
				return fmt.Errorf("stop the %s: %w", w.name, err)
			}
		case <-ctx.Done():
			w.output.cancel()
			return fmt.Errorf("stop the %s: its Job was deleted, but its end was not seen: %w", w.name, ctx.Err())
		}
	}
	w.output.close()
	return nil
}

func (w *worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// delete deletes the Job, in the foreground so that it goes last, or in the
// background so that it does not wait for its pods. The end of the context leaves
// it one more request.
func (w *worker) delete(ctx context.Context, how metav1.DeletionPropagation) error {
	c := w.watch.cluster
	options := metav1.DeleteOptions{PropagationPolicy: &how}
	w.mu.Lock()
	if uid := w.uid; uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	w.mu.Unlock()
	request := func(ctx context.Context) error {
		return c.client.BatchV1().Jobs(w.watch.namespace).Delete(ctx, w.job, options)
	}
	err := c.write(ctx, request)
	if err != nil && ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		err = c.write(last, request)
	}
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // another Job of that name is not ours
		w.lost()
		return nil
	}
	return c.explain(err, "delete", "jobs.batch", w.watch.namespace)
}

// lost notes that the cluster has no such Job.
func (w *worker) lost() {
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	w.look(time.Now())
}

// Release lets the Job run on, unwatched.
func (w *worker) Release() {
	w.mu.Lock()
	first := !w.left
	if first {
		w.leave()
		close(w.released)
	}
	w.mu.Unlock()
	if first {
		w.output.cancel()
	}
}

func (w *worker) errReleased() error {
	return fmt.Errorf("the %s was released and is not watched any more; attach to it by its handle", w.name)
}
