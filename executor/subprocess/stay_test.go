//go:build linux

package subprocess_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// BenchmarkStay compares an empty call in a process that stays with one in a
// process of its own, in turn in one run.
func BenchmarkStay(b *testing.B) {
	stay, each := subprocess.New(subprocess.Stay()), subprocess.New()
	inv := invocation("again")
	inv.Log = func([]byte) {}
	var ratios, ours, bares []float64
	call := func(e *subprocess.Executor) float64 {
		began := time.Now()
		w, err := e.Start(b.Context(), inv)
		if err != nil {
			b.Fatal(err)
		}
		exit, err := w.Wait(b.Context())
		if err != nil || exit.Err != nil {
			b.Fatal(exit, err)
		}
		return time.Since(began).Seconds() * 1e3
	}
	call(stay)
	for b.Loop() {
		bare, our := call(each), call(stay)
		ratios = append(ratios, bare/our)
		ours, bares = append(ours, our), append(bares, bare)
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(ours), "ms/staying")
	b.ReportMetric(median(bares), "ms/each")
}

// staying has processes that stay as long as the test.
func staying(t *testing.T) *subprocess.Executor {
	e := subprocess.New(subprocess.Stay(), subprocess.IdleFor(time.Hour))
	t.Cleanup(e.EndIdle)
	return e
}

// said runs a role in a process that stays, and returns what it printed.
func said(t *testing.T, e *subprocess.Executor, env ...string) string {
	t.Helper()
	exit, printed := run(t, e, invocation("says", env...))
	if exit.Err != nil || exit.Code != executor.ExitFunc {
		t.Fatalf("%+v", exit)
	}
	return printed
}

// TestEnvironmentOfEachCall: a call has the variables of its invocation, and none
// of the one before.
func TestEnvironmentOfEachCall(t *testing.T) {
	t.Setenv("MOPS_TEST_A", "ours")
	e := staying(t)
	for _, c := range []struct {
		env  []string
		want string
	}{
		{nil, "A=ours B="},
		{[]string{"MOPS_TEST_A=theirs", "MOPS_TEST_B=b"}, "A=theirs B=b"},
		{nil, "A=ours B="},
	} {
		if got := said(t, e, c.env...); !strings.Contains(got, c.want+"\n") {
			t.Errorf("%q: %q, want %q", c.env, got, c.want)
		}
	}
	one := said(t, e)
	if two := said(t, e); two != one {
		t.Errorf("two processes: %q, %q", one, two)
	}
	t.Setenv("MOPS_TEST_A", "changed")
	if two := said(t, e); two == one || !strings.Contains(two, "A=changed B=\n") {
		t.Errorf("our environment was changed, and a worker has %q", two)
	}
}

// TestRecycled: a process ends after 1,000 calls, each of which has its own CPU
// time.
func TestRecycled(t *testing.T) {
	e := staying(t)
	handles := map[string]int{}
	for range 1001 {
		w := start(t, e, invocation("again"))
		process, _, _ := strings.Cut(w.Handle(), "#")
		handles[process]++
		if exit := wait(t, w); exit.Err != nil || exit.CPU > time.Second || exit.CPU < 0 || exit.PeakMemory <= 0 {
			t.Fatalf("%+v", exit)
		}
	}
	if len(handles) != 2 {
		t.Errorf("1,001 calls had the processes %v", handles)
	}
}

// TestAttachToACall: a handle names one call, and whoever stops it hits no other.
func TestAttachToACall(t *testing.T) {
	g := newGate(t)
	e := staying(t)
	w := start(t, e, invocation("holds", g.env()))
	held := g.accept(t)
	first, err := e.Attach(t.Context(), executor.Invocation{Function: "f@1"}, w.Handle())
	if err != nil {
		t.Fatal(err)
	}
	held.Close()
	wait(t, w)
	wait(t, first) // though the process stays
	again := start(t, e, invocation("holds", g.env()))
	held = g.accept(t)
	if a, b := strings.TrimSuffix(w.Handle(), "#1"), strings.TrimSuffix(again.Handle(), "#2"); a != b {
		t.Errorf("the handles are %s and %s", w.Handle(), again.Handle())
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := e.Attach(t.Context(), executor.Invocation{Function: "f@1"}, w.Handle()); !errors.Is(err, executor.ErrGone) {
		t.Errorf("attach to a call that has ended: %v", err)
	}
	second, err := e.Attach(t.Context(), executor.Invocation{Function: "f@1"}, again.Handle())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if exit := wait(t, again); exit.Err == nil {
		t.Errorf("a call that was stopped ended with %+v", exit)
	}
	held.Close()
}

// TestIdleProcessesEnd: nothing is left of those that have nothing to do, and one
// that was killed meanwhile harms no call.
func TestIdleProcessesEnd(t *testing.T) {
	e := staying(t)
	w := start(t, e, invocation("again"))
	wait(t, w)
	var pid int
	fmt.Sscan(strings.Split(w.Handle(), "/")[0], &pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, start(t, e, invocation("again"))); exit.Err != nil {
		t.Error(exit.Err)
	}
	e.EndIdle()
	wait(t, start(t, subprocess.New(subprocess.Stay(), subprocess.IdleFor(time.Millisecond)), invocation("again")))
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) { // their end is no event here
		if unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) == unix.ECHILD {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("there are still children")
		}
	}
}

// TestEndIdle: when it returns, nothing is left of the processes that waited, each of
// which has had its own end; the next call has another.
func TestEndIdle(t *testing.T) {
	e := subprocess.New(subprocess.Stay())
	one, two := start(t, e, invocation("again")), start(t, e, invocation("again"))
	wait(t, one)
	wait(t, two)
	e.EndIdle()
	for _, w := range []executor.Worker{one, two} {
		var pid int
		fmt.Sscan(strings.Split(w.Handle(), "/")[0], &pid)
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != unix.ECHILD {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
	three := start(t, e, invocation("again"))
	if exit := wait(t, three); exit.Err != nil || three.Handle() == one.Handle() || three.Handle() == two.Handle() {
		t.Errorf("after that, a call has %s: %+v", three.Handle(), exit)
	}
	e.EndIdle()
	e.EndIdle()
}
