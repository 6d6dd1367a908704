package k8s

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

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
