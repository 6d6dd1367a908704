package k8s

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// health is whether a watch works, and what was logged about it.
type health struct {
	cluster *cluster
	log     *slog.Logger
	where   string

	mu         sync.Mutex
	jobs, pods bool          // they were listed and watched once
	err        error         // of the latest request; nil if it worked
	since      time.Time     // of the first failure; zero while requests work
	warned     bool          // and a warning was logged
	news       chan struct{} // closed when any of this has changed
}

// troubleAfter is how long the watch must fail to be worth a line: an API
// server that starts again is back by then.
const troubleAfter = 20 * time.Second

// watched notes how the beginning of a watch ended, which follows a list.
func (h *health) watched(once *bool, err error) error {
	if err == nil {
		h.mu.Lock()
		*once = true
		h.mu.Unlock()
	}
	return h.saw(err)
}

// saw notes how a request ended, and returns its error.
func (h *health) saw(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		h.cluster.reached.Store(true)
		if h.warned {
			h.log.Info("the cluster can be watched again", "cluster", h.cluster.name, "namespace", h.where, "after", time.Since(h.since).Round(time.Second))
		}
		h.since, h.warned = time.Time{}, false
	case h.since.IsZero():
		h.since = time.Now()
	case !h.warned && time.Since(h.since) > troubleAfter:
		h.warned = true
		h.log.Warn("the cluster cannot be watched; trying again until it can", "cluster", h.cluster.name, "namespace", h.where, "error", err)
	}
	h.err = err
	close(h.news)
	h.news = make(chan struct{})
	return err
}

// works reports whether the latest request succeeded.
func (h *health) works() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.jobs && h.pods && h.err == nil
}

// ready returns when Jobs and pods are watched, or with an error if that will
// not work.
func (w *watch) ready(ctx context.Context) error {
	h := &w.health
	patience := time.NewTimer(w.cluster.patience())
	defer patience.Stop()
	for {
		h.mu.Lock()
		ready, err, news := h.jobs && h.pods, h.err, h.news
		h.mu.Unlock()
		if ready {
			return nil
		}
		if err != nil && !w.cluster.passes(err) {
			return w.cluster.explain(err, "watch", "jobs and pods", w.namespace)
		}
		select {
		case <-news:
		case <-patience.C:
			if err == nil {
				err = fmt.Errorf("no answer within %v", w.cluster.patience())
			}
			return w.cluster.explain(err, "watch", "jobs and pods", w.namespace)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
