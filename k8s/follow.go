package k8s

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// mayRotate is the length of a log, in bytes, from which on the node may have
// rotated it: the node begins a new file then, and the stream of an ended
// container stops at the end of the old one. Kubelets rotate from 10 MiB on
// (containerLogMaxSize), more than half of which are times if lines are short.
const mayRotate = 1 << 20

// toldWithin is how long after the end of its log the news of a container's end
// may come: nodes look once in a second, and then tell the API server.
const toldWithin = 3 * time.Second

// follow shows the log of a pod to its end. If the stream breaks, follow goes
// on behind the last line that it showed.
func (o *output) follow(ctx context.Context, pod *shownPod) {
	const shortest = 200 * time.Millisecond
	var at place
	for failures, pause := 0, shortest; failures < 3; pause = min(2*pause, 10*time.Second) {
		over := isOver(pod) // then the log is complete
		before := at.bytes
		err := o.stream(ctx, pod, &at)
		came := at.bytes - before
		complete := err == nil && came < mayRotate // then the container has ended
		switch {
		case ctx.Err() != nil, apierrors.IsNotFound(err):
			return
		case isDenied(err):
			o.denied(err)
			return
		case complete && over:
			return
		case came > 0:
			failures, pause = 0, shortest
		case over:
			failures++
		}
		ended := pod.over
		if over {
			ended = nil // this is no news
		}
		wait := pause
		if complete {
			wait = max(wait, toldWithin)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ended:
			timer.Stop()
			if complete {
				return
			}
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// denied logs, once for a cluster, that there is no permission to read logs.
func (o *output) denied(err error) {
	c := o.worker.watch.cluster
	if c.mute.CompareAndSwap(false, true) {
		o.worker.settings.log().Warn("what workers print is not shown, but kept in the store", "error",
			c.explain(err, "get", "pods/log", o.worker.watch.namespace))
	}
}

func isOver(pod *shownPod) bool {
	select {
	case <-pod.over:
		return true
	default:
		return false
	}
}

// place is how far a log was read. Lines have times to the nanosecond, but a
// request for a log begins at a whole second. Two streams of a container write
// into one log, so lines may be a little out of order: from the second before
// the newest line on, the number of lines says which were read.
type place struct {
	newest      time.Time
	here, prior int // number of lines in the newest line's second, and in the one before
	bytes       int // of all lines
}

// since is where to go on: nil for the beginning.
func (p *place) since() *metav1.Time {
	if p.newest.IsZero() {
		return nil
	}
	return &metav1.Time{Time: p.newest.Truncate(time.Second).Add(-time.Second)}
}

func (p *place) read(at time.Time) {
	switch second := p.newest.Truncate(time.Second); at.Truncate(time.Second).Sub(second) {
	case 0:
		p.here++
	case -time.Second:
		p.prior++
	case time.Second:
		p.here, p.prior = 1, p.here
	default:
		if at.After(second) {
			p.here, p.prior = 1, 0
		}
	}
	if at.After(p.newest) {
		p.newest = at
	}
}

const (
	chunkSize   = 32 << 10
	longestLine = 1 << 20 // a longer one is shown in parts
)

// stream shows the log from a place on, until the stream ends or breaks.
func (o *output) stream(ctx context.Context, pod *shownPod, at *place) error {
	c := o.worker.watch.cluster
	body, err := c.client.CoreV1().Pods(o.worker.watch.namespace).GetLogs(pod.name, &corev1.PodLogOptions{
		Container: kube.ContainerName, Follow: true, Timestamps: true, SinceTime: at.since(),
	}).Stream(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	skip := at.here + at.prior
	from := at.newest
	prefix := pod.prefix()
	lines := bufio.NewReaderSize(body, chunkSize)
	var line, chunk []byte
	for {
		part, err := lines.ReadSlice('\n')
		line = append(line, part...)
		whole := err == nil || len(line) > longestLine || errors.Is(err, io.EOF) && len(line) > 0
		if whole {
			when, text := cutTime(line)
			if skip > 0 && !when.After(from) {
				skip--
			} else {
				at.read(when)
				at.bytes += len(text)
				chunk = append(append(chunk, prefix...), text...)
			}
			line = line[:0]
		}
		if len(chunk) > 0 && (lines.Buffered() == 0 || len(chunk) >= chunkSize || err != nil) {
			o.take(chunk)
			chunk = nil
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// cutTime takes the time off a line; a line without one belongs to the one
// before.
func cutTime(line []byte) (time.Time, []byte) {
	stamp, text, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return time.Time{}, line
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return time.Time{}, line
	}
	return at, text
}
