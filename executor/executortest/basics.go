package executortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

var basics = []testCase{
	{"ExitCodes", exitCodes},
	{"UnknownExitCode", unknownExitCode},
	{"Attempts", attempts},
	{"ManySideBySide", manySideBySide},
	{"ManyWait", manyWait},
	{"WaitCancelled", waitCancelled},
	{"StartCancelled", startCancelled},
	{"StartContextEnds", startContextEnds},
	{"Stop", stopRunning},
	{"StopEnded", stopEnded},
	{"Name", name},
}

func exitCodes(b *bench) {
	for _, code := range []int{executor.ExitOK, executor.ExitFunc, executor.ExitLost} {
		w := b.start(invocation(b.script("exit", code)))
		b.wantCode(w, code)
		b.wantCode(w, code) // again
	}
}

func unknownExitCode(b *bench) {
	exit := b.run(invocation(b.script("exit", 3)))
	if exit.Code != 3 || exit.Err == nil || exit.Err.Reason != executor.WorkerFailed || exit.Err.Message == "" {
		b.Errorf("exit code %d, %v; want 3, WorkerFailed", exit.Code, exit.Err)
	}
}

// attempts of one invocation are workers of their own.
func attempts(b *bench) {
	handles := map[string]bool{}
	for attempt, code := range []int{executor.ExitFunc, executor.ExitLost, executor.ExitOK} {
		inv := invocation(b.script("exit", code))
		inv.Attempt = attempt + 1
		w := b.start(inv)
		b.wantCode(w, code)
		handles[w.Handle()] = true
	}
	if b.maker.Can.Outlive && len(handles) != 3 {
		b.Errorf("three attempts had the handles %v", handles)
	}
}

func manySideBySide(b *bench) {
	workers := make([]executor.Worker, 12)
	for i := range workers {
		workers[i] = b.start(invocation(b.script("hold", executor.ExitOK)))
	}
	visitors := make([]visitor, len(workers))
	for i := range visitors { // all are there at once
		visitors[i] = b.visit()
	}
	for _, v := range visitors {
		v.Close()
	}
	for _, w := range workers {
		b.wantCode(w, executor.ExitOK)
	}
}

func manyWait(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitFunc)))
	v := b.visit()
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			if exit, err := w.Wait(b.ctx); err != nil || exit.Code != executor.ExitFunc {
				b.Errorf("Wait = %d, %v", exit.Code, err)
			}
		})
	}
	v.Close()
	waiting.Wait()
}

func waitCancelled(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitOK)))
	v := b.visit()
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	if exit, err := w.Wait(cancelled); !errors.Is(err, context.Canceled) {
		b.Errorf("Wait with a cancelled context = %+v, %v", exit, err)
	}
	if v.gone() {
		b.Error("Wait stopped the worker")
	}
	v.Close()
	b.wantCode(w, executor.ExitOK)
}

func startCancelled(b *bench) {
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	w, err := b.executor.Start(cancelled, invocation(b.script("exit", 0)))
	failure, ok := errors.AsType[*executor.Error](err)
	if !ok || failure.Reason != executor.LaunchFailed || !errors.Is(err, context.Canceled) {
		b.Errorf("Start with a cancelled context = %v, %v; want LaunchFailed and the context's error", w, err)
	}
}

// startContextEnds: the context of Start bounds the start, not the worker.
func startContextEnds(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	w, err := b.executor.Start(ctx, invocation(b.script("hold", executor.ExitOK)))
	if err != nil {
		b.Fatal(err)
	}
	v := b.visit()
	cancel()
	if v.gone() {
		b.Error("the worker ended with the context of Start")
	}
	v.Close()
	b.wantCode(w, executor.ExitOK)
}

func stopRunning(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitOK)))
	v := b.visit()
	var stopping sync.WaitGroup
	for range 3 {
		stopping.Go(func() {
			b.stop(w)
			if !v.gone() {
				b.Error("Stop returned, the worker was still there")
			}
		})
	}
	stopping.Wait()
	b.wait(w)
}

func stopEnded(b *bench) {
	w := b.start(invocation(b.script("exit", executor.ExitOK)))
	b.wantCode(w, executor.ExitOK)
	b.stop(w)
	b.stop(w)
	b.wantCode(w, executor.ExitOK)
	w.Release()
	b.wantCode(w, executor.ExitOK)
}

func name(b *bench) {
	if b.executor.Name() == "" || b.executor.Name() != b.maker.New().Name() {
		b.Errorf("Name() = %q", b.executor.Name())
	}
	if limited, ok := b.executor.(executor.Limited); ok && limited.Limit() < 0 {
		b.Errorf("Limit() = %d", limited.Limit())
	}
}

// goroutineCases are for executors whose workers are not processes.
var goroutineCases = []testCase{
	{"StopOfADeafFunction", stopDeaf},
	{"NoHandle", noHandle},
}

// stopDeaf: a worker that cannot be stopped is not reported as stopped.
func stopDeaf(b *bench) {
	w := b.start(invocation(b.script("deaf", executor.ExitOK)))
	v := b.visit()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Millisecond)
	defer cancel()
	if err := w.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Stop of a function that does not heed its context: %v", err)
	}
	v.Close()
	b.stop(w)
	b.wantCode(w, executor.ExitOK)
}

func noHandle(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitOK)))
	v := b.visit()
	if w.Handle() != "" {
		b.Errorf("the handle %q promises what cannot be kept", w.Handle())
	}
	w.Release()
	v.Close()
	b.wantCode(w, executor.ExitOK)
	for _, handle := range []string{"", "x", fmt.Sprint(1)} {
		b.wantGone(handle)
	}
}
