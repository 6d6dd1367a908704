package k8s

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// logsVariable sets the share of workers whose output is shown.
const logsVariable = "MOPS_K8S_LOGS"

// share is the share of workers whose output is shown.
func (s *settings) share() (float64, error) {
	if s.launched {
		return 1, nil
	}
	switch text := os.Getenv(logsVariable); text {
	case "":
		return s.logShare, nil
	case "all":
		return 1, nil
	case "none":
		return 0, nil
	default:
		share, err := strconv.ParseFloat(text, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return 0, fmt.Errorf("%s=%q: it must be all, none, or a number from 0 to 1", logsVariable, text)
		}
		return share, nil
	}
}

// isShown reports whether a Job is among those whose output is shown. The
// answer for a Job is always the same.
func isShown(job string, share float64) bool {
	h := fnv.New32a()
	h.Write([]byte(job))
	return float64(h.Sum32()) < share*(1<<32)
}

// output shows the output of a worker's pods, one pod after the other: a Job
// has one at a time. There is a goroutine only while there is something to
// show.
type output struct {
	worker *worker
	take   func([]byte) // nil: nobody wants it

	mu     sync.Mutex
	pods   map[string]*shownPod
	queue  []*shownPod
	idle   chan struct{} // nil: there is no goroutine; else closed when it ends
	stop   context.CancelFunc
	closed bool
}

// shownPod is a pod whose log is shown.
type shownPod struct {
	name string
	nth  int
	over chan struct{} // closed when its container has ended
}

func newOutput(w *worker, take func([]byte)) *output {
	if share, err := w.settings.share(); err != nil || !isShown(w.job, share) {
		take = nil
	}
	return &output{worker: w, take: take}
}

// see notes the state of the pods, and begins to show those that have started.
func (o *output) see(pods []*corev1.Pod) {
	if o.take == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	there := map[string]bool{}
	for _, pod := range pods {
		there[pod.Name] = true
		t := kube.Terminated(pod)
		shown := o.pods[pod.Name]
		if shown == nil && !o.closed && (kube.IsRunning(pod) || t != nil && t.Reason != "StartError") {
			shown = &shownPod{name: pod.Name, nth: len(o.pods), over: make(chan struct{})}
			set(&o.pods, pod.Name, shown)
			o.queue = append(o.queue, shown)
		}
		if shown != nil && (t != nil || !kube.IsAlive(pod)) {
			shown.end()
		}
	}
	for name, shown := range o.pods {
		if !there[name] {
			shown.end()
		}
	}
	if len(o.queue) > 0 && o.idle == nil {
		o.begin()
	}
}

func (p *shownPod) end() {
	select {
	case <-p.over:
	default:
		close(p.over)
	}
}

// begin starts to show the queue, unless all streams of the cluster are taken.
func (o *output) begin() {
	c, s := o.worker.watch.cluster, o.worker.settings
	if c.streams.Add(1) > int64(s.logStreams) {
		c.streams.Add(-1)
		o.queue = nil
		if c.unshown.CompareAndSwap(false, true) {
			s.log().Info("more workers run than have their output shown; in the store it is kept of all",
				"shown", s.logStreams, "option", "k8s.LogStreams")
		}
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	idle := make(chan struct{})
	o.stop, o.idle = stop, idle
	go func() {
		defer close(idle)
		defer stop()
		defer c.streams.Add(-1)
		for pod := o.next(); pod != nil; pod = o.next() {
			o.follow(ctx, pod)
		}
	}()
}

// next is the next pod to show; nil if there is none, which ends the goroutine.
func (o *output) next() *shownPod {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		o.idle = nil
		return nil
	}
	pod := o.queue[0]
	o.queue = o.queue[1:]
	return pod
}

// drainFor is how long the rest of a log may take after its worker ended.
const drainFor = 10 * time.Second

// close shows the rest. Nothing is shown after it returned.
func (o *output) close() { o.finish(drainFor) }

// cancel ends it at once, whatever is left to show.
func (o *output) cancel() { o.finish(0) }

func (o *output) finish(patience time.Duration) {
	o.mu.Lock()
	o.closed = true
	for _, pod := range o.pods {
		pod.end()
	}
	idle, stop := o.idle, o.stop
	o.mu.Unlock()
	if idle == nil {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
		stop()
		<-idle
	}
}

// prefix goes before each line of a pod that is not the first of its Job.
func (p *shownPod) prefix() string {
	if p.nth == 0 {
		return ""
	}
	return "[" + p.name[strings.LastIndexByte(p.name, '-')+1:] + "] "
}

// The size of Error.Tail, and of the log from which it is cut, in lines.
const (
	askedLines = 400
	tailLines  = 20
	crashLines = 10
)

// lastLines are the last lines of the worker's output, or known if they cannot
// be had.
func (w *worker) lastLines(known string) string {
	w.mu.Lock()
	pod := w.pod
	w.mu.Unlock()
	if pod == "" {
		return known
	}
	var text []byte
	c := w.watch.cluster
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	lines := int64(askedLines)
	text, err := c.client.CoreV1().Pods(w.watch.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: kube.ContainerName, TailLines: &lines}).DoRaw(ctx)
	if err != nil || len(text) == 0 {
		return excerpt(known)
	}
	return excerpt(string(text))
}

// excerpt is the end of a text. The report of a crash begins with its reason,
// and the stacks behind that may be long: then it is the beginning of the
// report and the end.
func excerpt(text string) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	begin := max(0, len(lines)-tailLines)
	for i := begin - 1; i >= 0; i-- {
		if strings.HasPrefix(lines[i], "panic: ") || strings.HasPrefix(lines[i], "fatal error: ") {
			crash := strings.Join(lines[i:min(i+crashLines, begin)], "")
			return crash + "…\n" + strings.Join(lines[len(lines)-crashLines:], "")
		}
	}
	return strings.Join(lines[begin:], "")
}
