package executortest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"

	"github.com/TrilliantHealth/mops-go/executor"
)

var kills = []testCase{
	{"Signal", signals},
	{"LastWords", lastWords},
	{"StopIsFinal", stopIsFinal},
	{"StopTellsSo", stopTellsSo},
	{"StopWithoutTime", stopWithoutTime},
	{"LeftOver", leftOver},
	{"Usage", usage},
}

func signals(b *bench) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		exit := b.run(invocation(b.script("signal", int(signal))))
		if exit.Code != -1 || exit.Err == nil || exit.Err.Reason != executor.Signalled {
			b.Errorf("signal %v: exit code %d, %v; want -1, Signalled", signal, exit.Code, exit.Err)
		}
	}
}

func lastWords(b *bench) {
	p := &printed{b: b}
	inv := invocation(b.script("panic", 0))
	inv.Log = p.log
	exit := b.run(inv)
	const words = "panic: these are my last words"
	if exit.Err == nil || exit.Err.Reason != executor.WorkerFailed {
		b.Errorf("exit code %d, %v; want WorkerFailed", exit.Code, exit.Err)
	} else if b.maker.Can.Logs && !strings.Contains(exit.Err.Tail, words) {
		b.Errorf("the tail does not say why:\n%s", exit.Err.Tail)
	}
	if text := p.all(); b.maker.Can.Logs && (!strings.HasPrefix(text, "all is well\n"+words) || !strings.Contains(text, "goroutine ")) {
		b.Errorf("the log has not all of it:\n%s", text)
	}
}

// stopIsFinal: neither the worker nor its children outlive Stop, though they
// ignore requests to end.
func stopIsFinal(b *bench) {
	w := b.start(invocation(b.script("stubborn", 2)))
	family := []visitor{b.visit(), b.visit(), b.visit()}
	b.stop(w)
	for _, v := range family {
		if !v.gone() {
			b.Error("Stop returned, but a process of the worker was still there")
		}
	}
	b.wait(w)
}

// stopTellsSo: a stopped worker is not reported as a victim of somebody else.
func stopTellsSo(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitOK)))
	b.visit()
	b.stop(w)
	if exit := b.wait(w); exit.Err == nil || !errors.Is(exit.Err, context.Canceled) {
		b.Errorf("exit code %d, %v; want an error that is context.Canceled", exit.Code, exit.Err)
	}
}

// stopWithoutTime: the end of Stop's context is no reprieve for the worker.
func stopWithoutTime(b *bench) {
	w := b.start(invocation(b.script("stubborn", 0)))
	v := b.visit()
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if err := w.Stop(cancelled); err != nil && !errors.Is(err, context.Canceled) {
			b.Errorf("Stop with a cancelled context: %v", err)
		}
	})
	stopping.Wait()
	b.goesBy(v)
	b.wait(w)
}

// leftOver: processes that a worker leaves behind neither hold up Wait nor live
// on.
func leftOver(b *bench) {
	p := &printed{b: b}
	inv := invocation(b.script("leave", executor.ExitFunc))
	inv.Log = p.log
	w := b.start(inv)
	parent, child := b.visit(), b.visit()
	if parent.behaviour != "leave" {
		parent, child = child, parent
	}
	parent.Close()
	b.wantCode(w, executor.ExitFunc)
	b.goesBy(child)
	if text := p.all(); b.maker.Can.Logs && text != "leaving\n" {
		b.Errorf("it printed %q", text)
	}
}

func usage(b *bench) {
	exit := b.wait(b.start(invocation(b.script("flood", 1<<20))))
	if exit.CPU < 0 || exit.PeakMemory < 0 || exit.PeakMemory > 0 && exit.PeakMemory < 1<<20 {
		b.Errorf("CPU %v, peak memory %d bytes", exit.CPU, exit.PeakMemory)
	}
}
