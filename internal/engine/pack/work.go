package pack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// Worker works through a list, beside the other workers of its group: it runs
// each call as a process of its own on this machine, some side by side, and
// keeps a ledger of them.
type Worker struct {
	packs.Pack
	Side     int               // how many calls run side by side
	Index    int               // of this worker in its group
	Executor executor.Executor // runs a call as a process
	Logger   *slog.Logger

	// Keep returns what keeps the output of a call.
	Keep func(packs.Call) Keeper
}

// Keeper keeps the log of one call.
type Keeper interface {
	Write(chunk []byte)
	// Close ends the log; exit is how the call's process ended, which the log
	// explains. It reports whether anything was printed.
	Close(ctx context.Context, exit executor.Exit) (printed bool)
}

// How often a worker tells and asks.
const (
	tellEvery = 250 * time.Millisecond // of what happened
	askEvery  = time.Second            // what nobody wants any more
	lifeEvery = 10 * time.Second       // a sign of life, when nothing happens
	catchEach = 50 * time.Millisecond  // what others did, when it helps them: so long for each of them
)

// Run works through the list, and through those that follow, to the end, and
// returns the exit code. When ctx ends, it stops what runs and says so.
func (w Worker) Run(ctx context.Context) (code int, err error) {
	way := &way{Worker: w, seeking: make(chan struct{}, 1)}
	first, err := way.open(ctx, w.Pack)
	switch {
	case blob.Is(err, blob.NotFound):
		return executor.ExitUnfit, fmt.Errorf("the list of this pack is gone: its program has ended, or somebody removed it: %w", err)
	case err != nil:
		return executor.ExitUnfit, err
	case first == nil:
		return executor.ExitOK, nil
	}
	var processes sync.WaitGroup
	for range max(w.Side, 1) {
		processes.Go(func() {
			for number := 0; ; number++ {
				r := way.at(ctx, number)
				if r == nil {
					return
				}
				r.work(ctx)
				r.processes.Done()
			}
		})
	}
	processes.Wait()
	way.beside.Wait()
	switch err := way.failed(); {
	case err != nil:
		return executor.ExitFailed, err
	case ctx.Err() != nil:
		return executor.ExitFailed, context.Cause(ctx)
	}
	return executor.ExitOK, nil
}

// working is a worker at work on one pack.
type working struct {
	Worker
	workers   int
	processes sync.WaitGroup // those that are not through with the pack
	share     *share
	open      map[int]bool // at first: what the worker in our place had begun and not ended
	pages     []int        // the last page that was read of each worker's ledger, or, of our own, written
	news      chan struct{}

	reading sync.Mutex // guards caught, and pages of others
	caught  time.Time

	mu      sync.Mutex
	parts   map[int][]packs.Call
	entries []packs.Entry
	running map[int]executor.Worker
	givenUp map[int]bool
	err     error
}

// report tells of the calls, and asks which ones nobody wants any more, until the
// processes are through with the pack.
func (r *working) report(ctx context.Context) error {
	working, done := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	beside.Go(func() { r.tell(working) })
	beside.Go(func() { r.ask(working) })
	r.processes.Wait()
	done()
	beside.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(r.failed(), r.write(last))
}

func (r *working) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// work runs one call after another, until there are none or ctx has ended.
func (r *working) work(ctx context.Context) {
	for ctx.Err() == nil {
		r.catchUp(ctx)
		number, ok := r.share.next()
		if !ok {
			return
		}
		call, err := r.call(ctx, number)
		if err != nil {
			r.mu.Lock()
			r.err = errors.Join(r.err, err)
			r.mu.Unlock()
			return
		}
		r.run(ctx, number, call)
	}
}

// call reads a call from the list.
func (r *working) call(ctx context.Context, number int) (packs.Call, error) {
	part := number / packs.PartSize
	r.mu.Lock()
	calls, ok := r.parts[part]
	r.mu.Unlock()
	if !ok {
		var err error
		if calls, _, err = r.Part(ctx, part); err != nil {
			return packs.Call{}, err
		}
		r.mu.Lock()
		r.parts[part] = calls
		r.mu.Unlock()
	}
	if number%packs.PartSize >= len(calls) {
		return packs.Call{}, fmt.Errorf("part %d of pack %s has no call %d", part, r.ID, number)
	}
	return calls[number%packs.PartSize], nil
}

// run runs one call to its end.
func (r *working) run(ctx context.Context, number int, call packs.Call) {
	began := time.Now()
	keeper := r.Keep(call)
	r.note(packs.Entry{Call: number, Began: true})
	exit := r.exit(ctx, number, call, keeper)
	ended := &packs.Ended{
		Code: exit.Code, WallSeconds: time.Since(began).Seconds(), CPUSeconds: exit.CPU.Seconds(), PeakMemory: exit.PeakMemory,
		Printed: keeper.Close(context.WithoutCancel(ctx), exit),
	}
	if exit.Err != nil {
		ended.Reason, ended.Message, ended.Tail = exit.Err.Reason, exit.Err.Text(), exit.Err.Tail
		if errors.Is(exit.Err, context.Canceled) {
			ended.Message = exit.Err.Message // the orchestrator knows whether it stopped the call
		}
	}
	r.note(packs.Entry{Call: number, Ended: ended})
}

// stopTime bounds how long stopping a call may take.
const stopTime = time.Minute

func (r *working) exit(ctx context.Context, number int, call packs.Call, keeper Keeper) executor.Exit {
	process, err := r.Executor.Start(ctx, executor.Invocation{
		Function: call.Function, MemoURI: call.MemoURI, ID: call.ID, Env: call.Env, Log: keeper.Write, Logger: r.Logger,
	})
	if err != nil {
		return failedExit(err)
	}
	r.mu.Lock()
	r.running[number] = process
	givenUp := r.givenUp[number]
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, number)
	}()
	if givenUp {
		r.stop(process)
	}
	exit, err := process.Wait(ctx)
	if err != nil {
		r.stop(process)
		settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if exit, err = process.Wait(settle); err != nil {
			return failedExit(err)
		}
	}
	return exit
}

func failedExit(err error) executor.Exit {
	failure, ok := errors.AsType[*executor.Error](err)
	if !ok {
		failure = &executor.Error{Reason: executor.WorkerFailed, Message: err.Error(), Err: err}
	}
	return executor.Exit{Code: -1, Err: failure}
}

func (r *working) stop(process executor.Worker) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := process.Stop(ctx); err != nil {
		r.Logger.Warn("a call could not be stopped", "pack", r.ID, "error", err)
	}
}

// note puts an entry into the ledger, before long.
func (r *working) note(e packs.Entry) {
	r.mu.Lock()
	r.entries = append(r.entries, e)
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// tell writes the ledger, until ctx ends.
func (r *working) tell(ctx context.Context) {
	for {
		timer := time.NewTimer(lifeEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.news:
			timer.Reset(tellEvery) // others may come along
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
		case <-timer.C: // a sign of life
		}
		if err := r.write(ctx); err != nil && ctx.Err() == nil {
			r.Logger.Warn("what became of calls could not be told yet", "pack", r.ID, "error", err)
		}
	}
}

// write writes what there is to tell as a page of the ledger.
func (r *working) write(ctx context.Context) error {
	r.mu.Lock()
	entries := r.entries
	r.entries = nil
	r.mu.Unlock()
	next, err := r.Append(ctx, r.Index, r.pages[r.Index]+1, entries)
	if err != nil {
		r.mu.Lock()
		r.entries = append(entries, r.entries...)
		r.mu.Unlock()
		return err
	}
	r.pages[r.Index] = next - 1
	return nil
}

// ask looks, until ctx ends, for calls that nobody wants any more.
func (r *working) ask(ctx context.Context) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if calls, err := r.GivenUp(ctx); err == nil {
			r.giveUp(calls)
		}
	}
}

// catchUp reads what the others have begun, when this worker is about to help
// them. What they began since then it learns from leases.
func (r *working) catchUp(ctx context.Context) {
	r.reading.Lock()
	defer r.reading.Unlock()
	if !r.share.helping() || time.Since(r.caught) < max(tellEvery, time.Duration(len(r.pages))*catchEach) {
		return
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for worker := range r.pages {
		if worker != r.Index {
			group.Go(func() error { return r.read(ctx, worker) })
		}
	}
	group.Wait() // what cannot be read, leases tell
	r.caught = time.Now()
}

// read reads on in a worker's ledger.
func (r *working) read(ctx context.Context, worker int) error {
	for {
		entries, found, err := r.Page(ctx, worker, r.pages[worker]+1)
		if err != nil || !found {
			return err
		}
		r.pages[worker]++
		for _, e := range entries {
			r.share.take(e.Call)
			switch {
			case worker != r.Index:
			case e.Ended != nil:
				delete(r.open, e.Call)
			case e.Began:
				r.open[e.Call] = true
			}
		}
	}
}

// giveUp stops calls that run here, and sees to it that the others never will.
func (r *working) giveUp(calls []int) {
	for _, number := range calls {
		r.mu.Lock()
		known := r.givenUp[number]
		r.givenUp[number] = true
		process := r.running[number]
		r.mu.Unlock()
		if known {
			continue
		}
		if process != nil {
			r.stop(process)
		} else {
			r.share.take(number)
		}
	}
}
