//go:build linux || darwin

package remote_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/internal/engine/packtest"
)

func TestConformancePacked(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	place, err := os.MkdirTemp("", "packtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(place) }) // as far as may be: workers that were left end by and by, and write
	t.Setenv(packtest.PlaceVariable, place)
	packs := maker
	packs.Can.Logs, packs.Impostor = false, nil
	executortest.Run(t, packs)
	packtest.Beside.Wait()
}

func TestPacking(t *testing.T) {
	for _, test := range []struct {
		options []remote.Option
		side    int
		most    int
	}{
		{nil, 16, 16},
		{[]remote.Option{remote.Limit(3)}, 3, 3},
		{[]remote.Option{remote.Limit(0)}, 16, 0},
		{[]remote.Option{remote.SideBySide(2)}, 2, 16},
		{[]remote.Option{remote.Slurm()}, 1, 16},
		{[]remote.Option{remote.Slurm(), remote.SideBySide(8), remote.Limit(80)}, 8, 80},
	} {
		e := remote.New(append(test.options, remote.Pack(time.Minute))...)
		if p := e.Packing(); p.Work != time.Minute || p.Side != test.side || p.Most != test.most || p.Kind == remote.New().Packing().Kind {
			t.Errorf("%+v; want %d side by side, %d at most", p, test.side, test.most)
		}
		if e.Limit() < 1000 {
			t.Errorf("only %d calls are let in", e.Limit())
		}
	}
	if p := remote.New().Packing(); p != (executor.Packing{}) {
		t.Errorf("without Pack, there is %+v", p)
	}
}

func init() {
	roles["index"] = func() int { return reports(os.Getenv(executor.IndexVariable)) }
	roles["fails"] = func() int {
		fmt.Println("no use")
		return executor.ExitFailed
	}
}

// reports reports at the gate, and ends in the way that it is told there.
func reports(who string) int {
	conn, err := net.Dial("tcp", os.Getenv(gateVariable))
	if err != nil {
		return 1
	}
	defer conn.Close()
	fmt.Fprintln(conn, who)
	var code int
	if _, err := fmt.Fscanln(conn, &code); err != nil {
		return 1
	}
	return code
}

// guest is a worker of a group at the gate.
type guest struct {
	net.Conn
	index int
}

func (g guest) leave(code int) { fmt.Fprintln(g, code) }

func guests(t *testing.T, n int, visit func() net.Conn) (all []guest) {
	t.Helper()
	for range n {
		g := guest{Conn: visit()}
		g.SetReadDeadline(time.Now().Add(patience))
		if _, err := fmt.Fscanln(g, &g.index); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

func groupOf(t *testing.T, workers int, role string, env ...string) executor.Invocation {
	inv := invocation(t, role, env...)
	inv.Workers = workers
	return inv
}

// One that dies is replaced, in its place; the group has ended when all have.
func TestGroup(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	variable, visit := gate(t)
	inv := groupOf(t, 3, "index", variable)
	counting := func(running *atomic.Int32) func(executor.Stage) {
		return func(s executor.Stage) {
			if s == executor.Running {
				running.Add(1)
			}
		}
	}
	var first, later atomic.Int32
	inv.Tell = counting(&first)
	w, err := remote.New(here).Start(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	all := guests(t, 3, visit)
	for _, g := range all {
		seen[g.index] = true
	}
	died := all[0].index
	all[0].leave(executor.ExitFailed)
	if len(seen) != 3 {
		t.Errorf("they are %v", seen)
	}
	all[0] = guests(t, 1, visit)[0]
	if all[0].index != died {
		t.Errorf("%d died, and %d took its place", died, all[0].index)
	}
	inv.Tell = counting(&later)
	other, err := remote.New(here).Attach(t.Context(), inv, w.Handle())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		g.leave(executor.ExitOK)
	}
	for _, side := range []executor.Worker{w, other} {
		if exit := wait(t, side); exit.Err != nil {
			t.Errorf("%+v", exit)
		}
	}
	// It is told again if the others were not known to run yet when one died.
	if n := first.Load(); n < 1 || n > 2 || later.Load() != 1 {
		t.Errorf("that it runs was told %d times, and %d times to who attached; want once", n, later.Load())
	}
	if _, err := remote.New(here).Attach(t.Context(), inv, w.Handle()); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("%v", err)
	}
}

// Those that fail again and again are given up, with the reason.
func TestGroupThatFails(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	w, err := remote.New(here).Start(t.Context(), groupOf(t, 2, "fails"))
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, w); exit.Err == nil || exit.Err.Reason != executor.WorkerFailed || !strings.Contains(exit.Err.Tail, "no use") {
		t.Errorf("%+v", exit)
	}
}

// When the work is done, a worker that still waits in a queue is taken out of it.
func TestGroupOfWhichOneWaits(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	variable, visit := gate(t)
	folder := t.TempDir()
	taken, waits := filepath.Join(folder, "taken"), filepath.Join(folder, "waits")
	queue := remote.Through("sh", "-c", `case $0 in *-0) exec "$1";; esac; trap 'echo out >`+taken+`; exit' TERM; : >`+waits+`; sleep 600 & wait`, remote.WorkerName)
	w, err := remote.New(queue).Start(t.Context(), groupOf(t, 2, "index", variable))
	if err != nil {
		t.Fatal(err)
	}
	all := guests(t, 1, visit)
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(waits); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other one does not wait")
		}
	}
	all[0].leave(executor.ExitOK)
	if exit := wait(t, w); exit.Err != nil {
		t.Errorf("%+v", exit)
	}
	if text, _ := os.ReadFile(taken); string(text) != "out\n" {
		t.Errorf("it waits on, %q", text)
	}
}

// A group that is released runs on, and all of it is found again.
func TestGroupThatIsReleased(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	variable, visit := gate(t)
	inv := groupOf(t, 2, "index", variable)
	w, err := remote.New(here).Start(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	all := guests(t, 2, visit)
	w.Release()
	if _, err := w.Wait(t.Context()); err == nil {
		t.Error("a group that was released has an exit")
	}
	other, err := remote.New(here).Attach(t.Context(), inv, w.Handle())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for _, g := range all {
		if _, err := io.Copy(io.Discard, g); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("worker %s runs on: %v", strconv.Itoa(g.index), err)
		}
	}
}

// What agents leave that were killed is removed in time, and only that.
func TestSocketsOfAgentsThatWereKilled(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	folder := fmt.Sprintf("/tmp/mops-%d", os.Getuid())
	if exit, _ := run(t, invocation(t, "says"), here); exit.Code != executor.ExitFunc { // makes the folder
		t.Fatalf("%+v", exit)
	}
	paths := map[string]string{}
	for _, name := range []string{"old", "new", "alive"} {
		paths[name] = filepath.Join(folder, fmt.Sprintf("mops-test-%s-%d", name, os.Getpid()))
		l, err := net.Listen("unix", paths[name])
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(name == "alive")
		if name == "alive" {
			defer l.Close()
		} else {
			l.Close()
			defer os.Remove(paths[name])
		}
		if age := time.Now().Add(-25 * time.Hour); name != "new" {
			if err := os.Chtimes(paths[name], age, age); err != nil {
				t.Fatal(err)
			}
		}
	}
	if exit, _ := run(t, invocation(t, "says"), here); exit.Code != executor.ExitFunc {
		t.Fatalf("%+v", exit)
	}
	for name, path := range paths {
		if _, err := os.Lstat(path); (err == nil) != (name != "old") {
			t.Errorf("that of the %s one: %v", name, err)
		}
	}
}
