package executortest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/TrilliantHealth/mops-go/executor"
)

var outlives = []testCase{
	{"AttachAfterDeath", attachAfterDeath},
	{"PrintAfterDeath", printAfterDeath},
	{"StopAfterDeath", stopAfterDeath},
	{"AttachToRunning", attachToRunning},
	{"AttachGone", attachGone},
	{"Impostor", impostor},
	{"Release", release},
	{"ReleaseWhilePrinting", releaseWhilePrinting},
	{"ReleaseWhileWaiting", releaseWhileWaiting},
}

// orphan lets another process start a worker, and then kills that process.
func (b *bench) orphan(behaviour string, number int) (handle string, v visitor) {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	s := b.script("orchestrate", number)
	s.gate = behaviour + "@" + s.gate
	orchestrator := exec.Command(program)
	orchestrator.Env = append(os.Environ(), s.env()...)
	orchestrator.Stderr = os.Stderr
	stdout, err := orchestrator.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := orchestrator.Start(); err != nil {
		b.Fatal(err)
	}
	defer orchestrator.Wait()
	defer orchestrator.Process.Kill()
	handle, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatalf("the orchestrator told no handle: %v", err)
	}
	handle = strings.TrimSpace(handle)
	b.started[handle] = invocation(script{behaviour, b.gate.Addr().String(), number, s.call})
	return handle, b.visit()
}

func attachAfterDeath(b *bench) {
	handle, v := b.orphan("hold", executor.ExitOK)
	w := b.attach(handle)
	if v.gone() {
		b.Fatal("the worker died with its orchestrator")
	}
	cancelled, cancel := context.WithCancel(b.ctx)
	cancel()
	if exit, err := w.Wait(cancelled); !errors.Is(err, context.Canceled) {
		b.Errorf("Wait with a cancelled context = %+v, %v", exit, err)
	}
	v.Close()
	exit := b.wait(w)
	// If the code cannot be known, the executor says that it lost sight.
	if known := exit.Code == executor.ExitOK && exit.Err == nil; !known &&
		(exit.Code != -1 || exit.Err == nil || exit.Err.Reason != executor.WorkerLost) {
		b.Errorf("exit code %d, %v; want 0, or -1 and WorkerLost", exit.Code, exit.Err)
	}
	b.stop(w)
	b.wantGone(handle)
}

// printAfterDeath: nobody reads any more what the worker prints.
func printAfterDeath(b *bench) {
	handle, v := b.orphan("chatty", executor.ExitOK)
	b.wantPrinting(v)
	w := b.attach(handle)
	b.wantPrinting(v)
	b.letGo(w, v)
}

func stopAfterDeath(b *bench) {
	handle, v := b.orphan("stubborn", 1)
	family := []visitor{v, b.visit()}
	w := b.attach(handle)
	b.stop(w)
	for _, v := range family {
		if !v.gone() {
			b.Error("Stop returned, but a process of the worker was still there")
		}
	}
	b.wait(w)
	b.wantGone(handle)
}

func attachToRunning(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitFunc)))
	v := b.visit()
	one, two := b.attach(w.Handle()), b.attach(w.Handle())
	one.Release()
	if v.gone() {
		b.Error("the release of an attached worker ended it")
	}
	v.Close()
	b.wait(two)
	b.wantCode(w, executor.ExitFunc)
	b.wantGone(w.Handle())
}

func attachGone(b *bench) {
	for _, handle := range []string{"", "garbage", "1", "-1", "0", strings.Repeat("/", 4), strings.Repeat("x", 1<<16)} {
		b.wantGone(handle)
	}
	w := b.start(invocation(b.script("exit", executor.ExitOK)))
	b.wantCode(w, executor.ExitOK)
	b.wantGone(w.Handle())
}

func impostor(b *bench) {
	if b.maker.Impostor == nil {
		b.Skip("the maker has no impostors")
	}
	w := b.start(invocation(b.script("hold", executor.ExitOK)))
	v := b.visit()
	b.wantGone(b.maker.Impostor(w.Handle()))
	v.Close()
	b.wantCode(w, executor.ExitOK)
}

func release(b *bench) {
	p := &printed{b: b}
	inv := invocation(b.script("hold", executor.ExitOK))
	inv.Log = p.log
	w := b.start(inv)
	v := b.visit()
	w.Release()
	w.Release()
	p.all() // the log has ended
	if v.gone() {
		b.Fatal("the worker did not survive its release")
	}
	b.letGo(b.attach(w.Handle()), v)
}

func releaseWhilePrinting(b *bench) {
	w := b.start(invocation(b.script("chatty", executor.ExitOK)))
	v := b.visit()
	w.Release()
	b.wantPrinting(v)
	b.letGo(b.attach(w.Handle()), v)
}

// letGo lets an attached worker end.
func (b *bench) letGo(w executor.Worker, v visitor) {
	b.Helper()
	v.Close()
	b.wait(w)
	b.wantGone(w.Handle())
}

// wantPrinting checks that a chatty worker goes on, after what might end it.
func (b *bench) wantPrinting(v visitor) {
	b.Helper()
	deadline, _ := b.ctx.Deadline()
	v.SetReadDeadline(deadline)
	if n, err := io.CopyN(io.Discard, v, 100); err != nil {
		b.Fatalf("the worker ended after %d rounds of lines: %v", n, err)
	}
}

func releaseWhileWaiting(b *bench) {
	w := b.start(invocation(b.script("hold", executor.ExitOK)))
	v := b.visit()
	waited := make(chan error, 1)
	go func() {
		_, err := w.Wait(b.ctx)
		waited <- err
	}()
	w.Release()
	// A watcher may still see the end through the store; nobody hangs.
	v.Close()
	if err := <-waited; errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Wait hung after Release: %v", err)
	}
}
