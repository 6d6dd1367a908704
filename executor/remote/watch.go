package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/far"
)

// run sees the worker to its end. Without a link, it starts it.
func (w *worker) run(l *link) {
	defer w.done.give()
	if l == nil {
		if l = w.begin(); l == nil {
			return
		}
	}
	for l != nil {
		if w.follow(l) {
			return
		}
		l = w.again(l)
	}
}

// begin connects and asks for the worker. It returns nil if there is none, and why is
// in the exit then. A worker that was released meanwhile starts all the same, if this
// process lives that long.
func (w *worker) begin() *link {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	connected := make(chan struct{})
	defer close(connected)
	go func() {
		select {
		case <-w.stopped.c:
			cancel()
		case <-w.released.c:
			w.done.give()
		case <-connected:
		}
	}()
	l, err := w.connect(ctx, w.e.through, far.Request{Start: &w.start})
	switch {
	case err == nil:
		return l
	case w.stopped.given():
		w.exit = executor.Exit{Code: -1, Err: &executor.Error{
			Reason: executor.Signalled, Message: "the worker " + w.name + " was stopped before it started", Err: context.Canceled,
		}}
	default:
		w.exit = executor.Exit{Code: -1, Err: launchFailed(w.inv, err)}
	}
	return nil
}

// follow listens to the agent. It reports whether there is nothing more to watch; else
// the connection was lost.
func (w *worker) follow(l *link) (over bool) {
	all := reports(l)
	if w.host = l.host; w.inv.Placed != nil {
		w.inv.Placed(executor.Place{Host: l.host})
	}
	stopped, killed := w.stopped.c, w.killed.c
	beats := time.NewTicker(far.BeatEvery)
	defer beats.Stop()
	for heard := time.Now(); ; {
		if w.released.given() { // nobody is to hear of it any more
			l.ask(far.Request{Leave: true})
			l.leave(all)
			return true
		}
		select {
		case r, more := <-all:
			if !more {
				l.end()
				return false
			}
			heard = time.Now()
			if w.heed(r) {
				l.ask(far.Request{Leave: true})
				l.end()
				drain(all)
				return true
			}
		case <-stopped:
			stopped = nil
			l.ask(far.Request{Stop: true})
		case <-killed:
			killed = nil
			l.ask(far.Request{Kill: true})
		case <-w.released.c:
		case <-beats.C:
			if time.Since(heard) > far.Silence {
				l.kill()
				l.close()
				drain(all)
				return false
			}
			l.ask(far.Request{})
		}
	}
}

// heed takes a report, and reports whether the worker has ended.
func (w *worker) heed(r far.Report) (ended bool) {
	switch {
	case r.Started:
		w.tell(executor.Running)
	case len(r.Log) > 0:
		w.had += int64(len(r.Log))
		if w.inv.Log != nil {
			w.inv.Log(r.Log)
		}
	case r.Exit != nil:
		w.exit = r.Exit.Executor(w.host, w.stopped.given())
		return true
	case r.Refused != "":
		w.exit = executor.Exit{Code: -1, Err: launchFailed(w.inv, fmt.Errorf("on %s, %s", w.host, r.Refused))}
		return true
	}
	return false
}

// lost is the exit of a worker whose end nobody saw.
func (w *worker) lost(said, why string) executor.Exit {
	return executor.Exit{Code: -1, Err: &executor.Error{
		Reason: executor.WorkerLost, Tail: said,
		Message: fmt.Sprintf("the worker %s: %s; its result is in the store, if it has one", w.name, why),
	}}
}

// Pauses between attempts to reach a machine again.
const (
	leastPause = time.Second
	mostPause  = 10 * time.Second
)

// usualPatience is how long a machine may be out of reach before the store is asked
// whether the worker lives.
const usualPatience = time.Minute

// again reaches a worker after its connection was lost. It returns nil if that is of no
// use any more: it has ended, or there is no sign of it, or it was released.
func (w *worker) again(lost *link) *link {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reached := make(chan struct{})
	defer close(reached)
	go func() {
		select {
		case <-w.released.c:
			cancel()
		case <-reached:
		}
	}()
	if w.inv.Logger != nil {
		w.inv.Logger.Warn("the connection to a worker was lost; it is looked for again", "worker", w.name, "host", w.host, "said", lost.said.String())
	}
	said := lost.said.String()
	for begun, pause := time.Now(), leastPause; ; pause = min(2*pause, mostPause) {
		try, end := context.WithTimeout(ctx, usualPatience)
		l, err := w.connect(try, w.e.again, far.Request{Attach: &far.Attach{Name: w.name, From: w.had}})
		if err == nil {
			end()
			return l
		}
		end()
		gone := errors.Is(err, errGone)
		if late := time.Since(begun) > w.e.patience; ctx.Err() == nil && (gone || late) {
			unknown := w.inv.Lives == nil || late && w.stopped.given()
			if unknown || !w.lives(ctx) {
				w.exit = w.lost(said, fmt.Sprintf("the connection was lost, and it could not be found again: %v", err))
				return nil
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}
