package k8s

import (
	"fmt"
	"log/slog"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

// setbackLine is what a warning about setbacks is about: when a node is drained,
// one line tells of all workers that were on it.
type setbackLine struct {
	to        *slog.Logger
	disrupted bool
	last      bool
	reason    executor.Reason
	message   string
}

// tellSetbacks warns once about each pod that failed and that another follows.
func (w *watch) tellSetbacks(workers []*worker) {
	type told struct {
		first   *worker
		latest  kube.Setback // of the first: between two looks there may be several
		workers int
	}
	lines := map[setbackLine]told{}
	for _, worker := range workers {
		latest := map[setbackLine]kube.Setback{}
		for _, s := range worker.untoldSetbacks() {
			latest[setbackLine{worker.settings.log(), s.Disrupted, s.Last, s.Reason, s.Message}] = s
		}
		for about, s := range latest {
			line := lines[about]
			if line.workers++; line.workers == 1 {
				line.first, line.latest = worker, s
			}
			lines[about] = line
		}
	}
	for about, line := range lines {
		s := line.latest
		text, uses := "workers failed and are started again", "retry"
		switch {
		case s.Last:
			text = "workers failed too often and are not started again; those beside them go on with their calls"
		case s.Disrupted:
			text, uses = "the cluster took pods of workers away; they are started again", "disruption"
		}
		nth := fmt.Sprint(s.Nth)
		if s.Most >= 0 {
			nth += fmt.Sprint(" of ", s.Most)
		}
		args := []any{"reason", s.Reason, "workers", line.workers, "first", line.first.name, "pod", s.Pod, uses, nth, "message", "it " + s.Message}
		if s.LastWords != "" {
			args = append(args, "last_words", s.LastWords)
		}
		about.to.Warn(text, args...)
	}
}

// untoldSetbacks are those that no line told of yet.
func (w *worker) untoldSetbacks() (untold []kube.Setback) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left || w.cause != nil {
		return nil
	}
	for _, s := range w.setbacks {
		if !w.told[s.Pod] {
			set(&w.told, s.Pod, true)
			untold = append(untold, s)
		}
	}
	return untold
}
