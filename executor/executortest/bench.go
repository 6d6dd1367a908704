package executortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// bench is the place of a test case.
type bench struct {
	*testing.T
	maker    Maker
	executor executor.Executor
	ctx      context.Context // ends when the patience does
	gate     net.Listener

	started map[string]executor.Invocation // by handle
}

func newBench(t *testing.T, maker Maker) *bench {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maker.Patience)
	t.Cleanup(cancel)
	gate, err := maker.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gate.Close() })
	return &bench{T: t, maker: maker, executor: maker.New(), ctx: ctx, gate: gate, started: map[string]executor.Invocation{}}
}

func (b *bench) script(behaviour string, number int) script {
	return script{behaviour, b.gate.Addr().String(), number, fmt.Sprintf("%x-%d", begun, calls.Add(1))}
}

// These make the calls of this process differ from those of others.
var (
	begun = time.Now().UnixNano()
	calls atomic.Int64
)

func (b *bench) start(inv executor.Invocation) executor.Worker {
	b.Helper()
	w, err := b.executor.Start(b.ctx, inv)
	if err != nil {
		b.Fatalf("Start: %v", err)
	}
	b.started[w.Handle()] = inv
	return w
}

func (b *bench) wait(w executor.Worker) executor.Exit {
	b.Helper()
	exit, err := w.Wait(b.ctx)
	if err != nil {
		b.Fatalf("Wait: %v", err)
	}
	return exit
}

// run runs an invocation to its end, as an orchestrator does: once more if its
// process died that had run others before.
func (b *bench) run(inv executor.Invocation) executor.Exit {
	b.Helper()
	exit := b.wait(b.start(inv))
	if exit.Err != nil && exit.Err.Reason == executor.ReusedWorker {
		inv.Failed = append(inv.Failed, exit.Err.Reason)
		exit = b.wait(b.start(inv))
	}
	return exit
}

func (b *bench) wantCode(w executor.Worker, code int) {
	b.Helper()
	if exit := b.wait(w); exit.Code != code || exit.Err != nil {
		b.Errorf("exit code %d, %v; want %d", exit.Code, exit.Err, code)
	}
}

func (b *bench) stop(w executor.Worker) {
	b.Helper()
	if err := w.Stop(b.ctx); err != nil {
		b.Errorf("Stop: %v", err)
	}
}

func (b *bench) wantGone(handle string) {
	b.Helper()
	w, err := b.executor.Attach(b.ctx, b.invocationOf(handle), handle)
	if !errors.Is(err, executor.ErrGone) {
		b.Errorf("Attach(%q) = %v, %v; want ErrGone", handle, w, err)
	}
}

func (b *bench) attach(handle string) executor.Worker {
	b.Helper()
	w, err := b.executor.Attach(b.ctx, b.invocationOf(handle), handle)
	if err != nil {
		b.Fatalf("Attach: %v", err)
	}
	if w.Handle() != handle {
		b.Errorf("the handle was %q, is %q", handle, w.Handle())
	}
	return w
}

// invocationOf is the invocation that started a worker, or another one if there
// is none.
func (b *bench) invocationOf(handle string) executor.Invocation {
	inv, ok := b.started[handle]
	if !ok {
		return invocation(b.script("exit", 0))
	}
	return inv
}

// visitor is a worker at the gate: it lives at least as long as its connection.
type visitor struct {
	net.Conn
	behaviour string
}

// visit waits until a worker reports at the gate.
func (b *bench) visit() visitor {
	b.Helper()
	stop := context.AfterFunc(b.ctx, func() { b.gate.Close() })
	defer stop()
	conn, err := b.gate.Accept()
	if err != nil {
		b.Fatalf("no worker came to the gate: %v", err)
	}
	b.Cleanup(func() { conn.Close() })
	var behaviour []byte
	for one := make([]byte, 1); ; behaviour = append(behaviour, one[0]) {
		if _, err := conn.Read(one); err != nil || one[0] == '\n' {
			return visitor{conn, string(behaviour)}
		}
	}
}

// gone reports whether the visitor has ended; a killed one is gone at once. It looks
// several times: if this process stands still meanwhile, one time is over at once.
func (v visitor) gone() bool {
	for range 10 {
		v.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := v.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err != nil
		}
	}
	return false
}

// goesBy waits until the visitor has ended, by itself or by others.
func (b *bench) goesBy(v visitor) {
	b.Helper()
	deadline, _ := b.ctx.Deadline()
	v.SetReadDeadline(deadline)
	if _, err := io.Copy(io.Discard, v); errors.Is(err, os.ErrDeadlineExceeded) {
		b.Errorf("a process that should be gone is still there")
	}
}

// printed collects a worker's log. It fails the test if the log comes late or
// from two goroutines at once.
type printed struct {
	b      *bench
	busy   sync.Mutex
	closed bool
	text   []byte
}

func (p *printed) log(chunk []byte) {
	if !p.busy.TryLock() {
		p.b.Error("Log was called by two goroutines at once")
		return
	}
	defer p.busy.Unlock()
	if p.closed {
		p.b.Errorf("Log(%q) was called after Wait returned", chunk)
	}
	p.text = append(p.text, chunk...)
}

// all returns the whole log, after Wait.
func (p *printed) all() string {
	p.busy.Lock()
	defer p.busy.Unlock()
	p.closed = true
	return string(slices.Clone(p.text))
}
