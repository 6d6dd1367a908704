package mops

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Instruments follow the calls of an environment for a system of traces, metrics
// and logs: module otelmops has those of OpenTelemetry. Each field may be nil.
//
// Trace, Carry and Begin are called while calls are made, from many goroutines, so
// they must be fast and never block. A panic in one of them is logged, the first
// time, and changes nothing.
type Instruments struct {
	// Observe is as with [Observe].
	Observe func(Event)

	// Trace is told of each event at once. Those of one call come in order. ctx is
	// the caller's with CallAsked, CallJoined, and a CallEnded that is the call's only
	// event; the call's with AttemptStarted and any other CallEnded; otherwise it has
	// nothing in it. What Trace returns with CallAsked becomes the call's, and with
	// AttemptStarted that of the function, if it runs in this process. It must be ctx
	// or made from ctx.
	Trace func(ctx context.Context, e Event) context.Context

	// Carry returns what a worker elsewhere is told of the context that Trace returned
	// with AttemptStarted. It travels in the worker's environment, where others may
	// read it: it holds no secrets and is short.
	Carry func(ctx context.Context) map[string]string

	// Begin is called in the process of a worker, with what Carry returned, before the
	// worker reads the call. The function runs in the context that it returns. end is
	// called when the result or the error is in the store, or with why there is none.
	Begin func(ctx context.Context, carried map[string]string, run Run) (_ context.Context, end func(error))

	// Over returns a store that stands before s, to see its requests. s is below all
	// that tries again and all that remembers.
	Over func(s *blob.Store) *blob.Store

	// Log returns a handler that gets what mops logs, and passes it on to next.
	Log func(next slog.Handler) slog.Handler

	// Close hands on what waits. It is called last: when [Env.Close] is done with all
	// else, and before a worker's process ends. Nobody waits for it for longer than
	// 5 s, when ctx ends.
	Close func(ctx context.Context)
}

// Instrument has an environment followed by instruments. open makes them for each
// environment; worker says that it is that of a worker's process, to which the option
// is given as well. It may be given several times.
func Instrument(open func(worker bool) Instruments) EnvOption {
	return envOption(func(e *envOptions) { e.instrument = append(e.instrument, open) })
}

// instruments are those of an environment.
type instruments struct {
	all    []Instruments
	guard  *instrumentGuard
	carry  func(context.Context) map[string]string // nil if there are none
	over   func(*blob.Store) *blob.Store
	closed *sync.Once
}

// newInstruments makes the instruments, and has those that want it get the log.
func newInstruments(o *envOptions, inWorker bool) instruments {
	if len(o.instrument) == 0 {
		return instruments{}
	}
	s := instruments{guard: &instrumentGuard{log: o.logger}, closed: new(sync.Once)}
	for _, open := range o.instrument {
		var made Instruments
		s.guard.run(func() { made = open(inWorker) })
		s.all = append(s.all, made)
	}
	handler := o.logger.Handler()
	for _, i := range s.all {
		if i.Log != nil {
			s.guard.run(func() { handler = i.Log(handler) })
		}
	}
	o.logger = slog.New(calm{handler})
	s.guard.log = o.logger
	s.carry, s.over = s.carries, s.stands
	return s
}

// listen has the instruments hear of the calls of an environment.
func (s instruments) listen(env *Env) {
	for _, i := range s.all {
		if i.Trace != nil {
			env.events.Traced(func(ctx context.Context, e Event) (traced context.Context) {
				traced = ctx
				s.guard.run(func() {
					e.Err = publicOf(e)
					if made := i.Trace(ctx, e); made != nil {
						traced = made
					}
				})
				return traced
			})
		}
		if i.Observe != nil {
			env.queue([]func(Event){i.Observe})
		}
	}
}

func (s instruments) carries(ctx context.Context) map[string]string {
	var carried map[string]string
	for _, i := range s.all {
		if i.Carry == nil {
			continue
		}
		s.guard.run(func() {
			more := i.Carry(ctx)
			if carried == nil {
				carried = make(map[string]string, len(more))
			}
			maps.Copy(carried, more)
		})
	}
	return carried
}

// beginner tells instruments of what a worker does.
func (s instruments) beginner(spec worker.Spec) func(context.Context, string) (context.Context, func(error)) {
	if len(s.all) == 0 {
		return nil
	}
	return func(ctx context.Context, memoURI string) (context.Context, func(error)) {
		run := Run{Function: spec.Function, URI: memoURI, ID: spec.RunID, Attempt: spec.Attempt}
		if names, err := memokey.Parse(spec.Path); err == nil {
			run.Function = names.Name + "@" + names.Version
		}
		return s.begins(ctx, spec.Carried, run)
	}
}

func (s instruments) begins(ctx context.Context, carried map[string]string, run Run) (context.Context, func(error)) {
	var ends []func(error)
	for _, i := range s.all {
		if i.Begin == nil {
			continue
		}
		s.guard.run(func() {
			begun, end := i.Begin(ctx, carried, run)
			ctx, ends = begun, append(ends, end)
		})
	}
	return ctx, func(err error) {
		for _, end := range ends {
			s.guard.run(func() { end(err) })
		}
	}
}

func (s instruments) stands(store *blob.Store) *blob.Store {
	for _, i := range s.all {
		if i.Over != nil {
			s.guard.run(func() { store = i.Over(store) })
		}
	}
	return store
}

// closeInstruments bounds how long is waited for them.
const closeInstruments = 5 * time.Second

func (s instruments) close() {
	if s.closed == nil {
		return
	}
	s.closed.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeInstruments)
		defer cancel()
		done := make(chan struct{})
		go func() { // ends with Close, or with the process
			defer close(done)
			for _, i := range s.all {
				if i.Close != nil {
					s.guard.run(func() { i.Close(ctx) })
				}
			}
		}()
		select {
		case <-done:
		case <-ctx.Done():
		}
	})
}

// instrumentGuard keeps panics of instruments from doing harm.
type instrumentGuard struct {
	log  *slog.Logger
	once sync.Once
}

func (g *instrumentGuard) run(do func()) {
	defer func() {
		if p := recover(); p != nil {
			g.once.Do(func() {
				g.log.Error("an instrument of calls panicked; it gets what follows all the same", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			})
		}
	}()
	do()
}
