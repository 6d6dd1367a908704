package k8s

import (
	"context"
	"log/slog"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/cluster/kube"
)

const (
	tickEvery   = time.Second
	asksPerTick = 20               // ten thousand workers in trouble must not cause more
	standsAfter = 5 * time.Second  // without any move, something is wrong
	tellAgainIn = 30 * time.Second // for the same want of room
)

// tick does, for all workers, what depends on the time and on no event.
func (w *watch) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			w.inspect(ctx, now)
		case <-ctx.Done():
			return
		}
	}
}

// inspect lets workers look that have not started, asks the cluster about them,
// and logs what keeps them.
func (w *watch) inspect(ctx context.Context, now time.Time) {
	workers := w.all()
	asked, most := 0, w.questions(now)
	for _, worker := range workers {
		worker.listen(now)
		if worker.isRunning() {
			continue
		}
		worker.look(now)
		if asked >= most || !w.health.works() {
			continue
		}
		if about, ok := worker.due(now); ok {
			asked++
			if err := worker.ask(ctx, about); err != nil {
				asked = most // no more for now
			}
		}
	}
	if asked > 0 {
		w.mu.Lock()
		w.asked = now
		w.mu.Unlock()
	}
	if w.health.works() {
		w.endStranded(ctx, workers)
		w.askTurns(ctx, now, workers)
	}
	w.tell(now, workers)
	w.tellSetbacks(workers)
	w.tellOfParents(now, workers)
}

// questions is how many requests for events may be made now. While workers come
// and go, those that have not started stand in a queue, and events would not
// say more: listing them makes the server look at all events that there are.
func (w *watch) questions(now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case now.Sub(w.moved) >= standsAfter:
		return asksPerTick
	case now.Sub(w.asked) >= askEvery:
		return 1
	}
	return 0
}

// moves notes that a worker got a pod, started or ended.
func (w *watch) moves(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moved = now
}

func (w *watch) all() (all []*worker) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, workers := range w.workers {
		all = append(all, workers...)
	}
	return all
}

// busySince is when a worker ran last.
func (w *watch) busySince() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running > 0 {
		return time.Now()
	}
	return w.busy
}

// runs notes that so many workers more run.
func (w *watch) runs(more int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running += more; w.running == 0 {
		w.busy = time.Now()
	}
}

func (w *worker) isRunning() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stage == executor.Running
}

// line is the subject of a warning.
type line struct {
	to     *slog.Logger
	reason executor.Reason
	kind   kube.ObstacleKind
}

// tell warns once about each worker that cannot start: one line for all workers
// with the same obstacle.
func (w *watch) tell(now time.Time, workers []*worker) {
	kept := map[line][]*worker{}
	for _, worker := range workers {
		by, ok := worker.untold(now)
		if ok {
			about := line{worker.settings.log(), by.Reason, by.Kind}
			kept[about] = append(kept[about], worker)
		}
	}
	for about, workers := range kept {
		if about.kind == kube.NoTurn || about.kind == kube.NeverATurn {
			w.tellTurns(about, workers)
			continue
		}
		if about.kind == kube.NoRoom && !w.mayTell(about) {
			continue // a later line will tell of them, if they still wait then
		}
		for _, worker := range workers[1:] {
			worker.warned()
		}
		first := workers[0]
		by := first.warned()
		about.to.Warn("workers cannot start yet", "reason", about.reason, "workers", len(workers), "first", first.name,
			"message", by.Message, "advice", by.Advice, "deleted_after", first.settings.grace(by.Kind))
	}
}

// untold is what keeps a worker, if that is worth a line and was not logged
// yet.
func (w *worker) untold(now time.Time) (kube.Obstacle, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left || w.cause != nil || w.kept.by == nil || w.kept.warned || now.Sub(w.kept.since) < w.settings.warnAfter(w.kept.by.Kind) {
		return kube.Obstacle{}, false
	}
	return *w.kept.by, true
}

func (w *worker) warned() kube.Obstacle {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kept.by == nil {
		return kube.Obstacle{}
	}
	w.kept.warned = true
	return *w.kept.by
}
