//go:build linux || darwin

package subprocess_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// TestDaemon: a process that left the group and has the output open does not
// hold up the end of the worker, whose last words all arrive.
func TestDaemon(t *testing.T) {
	g := newGate(t)
	handle := make(chan string, 1)
	var printed strings.Builder
	inv := invocation("daemon", g.env())
	inv.Log = func(chunk []byte) {
		if printed.Len() == 0 { // by the time that we read on, the worker is dead
			id, err := process.Parse(<-handle)
			if err != nil {
				t.Error(err)
			}
			if err := id.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		printed.Write(chunk)
	}
	w := start(t, subprocess.New(), inv)
	handle <- w.Handle()
	if exit := wait(t, w); exit.Code != 0 || exit.Err != nil {
		t.Errorf("exit %+v", exit)
	}
	if want := strings.Repeat("the worker's last words\n", lastWords); printed.String() != want {
		t.Errorf("%d bytes arrived, want %d", printed.Len(), len(want))
	}
	g.accept(t).Close()
}

// TestSlowReader: output that nobody reads waits in the worker, not in our
// memory.
func TestSlowReader(t *testing.T) {
	read := make(chan struct{})
	var most uint64
	inv := executor.Invocation{Function: "f@1", Log: func(chunk []byte) {
		if len(chunk) > 64<<10 {
			t.Errorf("a chunk of %d bytes", len(chunk))
		}
		<-read
	}}
	before := heap()
	w := start(t, shell("head -c 64000000 /dev/zero"), inv)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if exit, err := w.Wait(ctx); err == nil {
		t.Errorf("the worker ended though nobody read: %+v", exit)
	}
	close(read)
	wait(t, w)
	if most = heap(); most > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, most)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapSys
}

// TestStopBlockedLog: a log that blocks does not keep Stop from stopping.
func TestStopBlockedLog(t *testing.T) {
	block, blocked := make(chan struct{}), make(chan struct{}, 1)
	inv := executor.Invocation{Function: "f@1", Log: func([]byte) {
		select {
		case blocked <- struct{}{}:
		default:
		}
		<-block
	}}
	w := start(t, shell("yes"), inv)
	<-blocked
	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	close(block)
	if exit := wait(t, w); exit.Err == nil || !strings.Contains(exit.Err.Message, "was stopped by SIGTERM") {
		t.Errorf("%v", exit.Err)
	}
}

// TestReleased: only its handle reaches a released worker.
func TestReleased(t *testing.T) {
	g := newGate(t)
	e := subprocess.New()
	w := start(t, e, invocation("holder", g.env()))
	v := g.accept(t)
	w.Release()
	if err := w.Stop(t.Context()); err == nil {
		t.Error("Stop says that a released worker is gone")
	}
	if exit, err := w.Wait(t.Context()); err == nil {
		t.Errorf("Wait says that a released worker has ended: %+v", exit)
	}
	again, err := e.Attach(t.Context(), executor.Invocation{Function: "f@1"}, w.Handle())
	if err != nil {
		t.Fatalf("the released worker is gone: %v", err)
	}
	v.Close()
	wait(t, again)
}
