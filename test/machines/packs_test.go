//go:build linux

package machines_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// together are calls that are visits to one gate, in one pack.
type together struct {
	gate  *net.TCPListener
	ended chan error
	pids  []int // results
}

const visitors = 4

func startTogether(t *testing.T, on *remote.Executor) *together {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	g := &together{gate: l.(*net.TCPListener), ended: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(environment(t).Context(t.Context()), 3*patience)
	t.Cleanup(cancel)
	var in []Stay
	for i := range visitors {
		in = append(in, Stay{Gate: l.Addr().String(), Lines: i})
	}
	go func() {
		var err error
		g.pids, err = stay.With(mops.On(on)).All(ctx, in)
		g.ended <- err
	}()
	return g
}

// visits waits until n workers are at the gate.
func (g *together) visits(t *testing.T, n int) (pids []int, doors []net.Conn) {
	t.Helper()
	g.gate.SetDeadline(time.Now().Add(patience))
	for range n {
		door, err := g.gate.Accept()
		if err != nil {
			t.Fatalf("%v; %d came", err, len(pids))
		}
		var pid int
		if _, err := fmt.Fscanln(door, &pid); err != nil {
			t.Fatal(err)
		}
		pids, doors = append(pids, pid), append(doors, door)
	}
	return pids, doors
}

// inOnePack starts calls and waits until they are at the gate, as calls of one worker.
// If they come slowly, they may make several packs: then it lets them go, and makes others.
func inOnePack(t *testing.T, on *remote.Executor) (g *together, pids []int, doors []net.Conn) {
	t.Helper()
	for {
		g := startTogether(t, on)
		pids, doors := g.visits(t, visitors)
		workers := map[int]bool{}
		for _, pid := range pids {
			workers[parentOf(t, pid)] = true
		}
		if len(workers) == 1 {
			return g, pids, doors
		}
		g.want(t, pids, doors)
	}
}

func (g *together) want(t *testing.T, pids []int, doors []net.Conn) {
	t.Helper()
	for _, d := range doors {
		d.Close()
	}
	if err := <-g.ended; err != nil {
		t.Fatal(err)
	}
	came := map[int]bool{}
	for _, pid := range pids {
		came[pid] = true
	}
	for _, pid := range g.pids {
		if !came[pid] {
			t.Errorf("%d computed a call, and was not at the gate with %d", pid, pids)
		}
	}
}

// What breaks while a pack runs costs no call.
func TestPacksThatBreak(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts sshd")
	}
	on := remote.New(remote.SSH("far", "-F", machines.StartSSH(t).Config), remote.Pack(time.Minute), remote.SideBySide(visitors))
	t.Run("connection", func(t *testing.T) {
		g, pids, doors := inOnePack(t, on)
		kill(t, os.Getpid(), "ssh")
		g.want(t, pids, doors)
	})
	t.Run("agent", func(t *testing.T) { // its worker goes on
		if os.Getenv("MOPS_SOAK") == "" {
			t.Skip("left out without MOPS_SOAK=1: it takes 30 s until it is certain")
		}
		g, pids, doors := inOnePack(t, on)
		if err := syscall.Kill(parentOf(t, parentOf(t, pids[0])), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		g.want(t, pids, doors)
	})
	t.Run("worker", func(t *testing.T) { // its calls run again, each in a worker of its own
		g, pids, _ := inOnePack(t, on)
		if err := syscall.Kill(parentOf(t, pids[0]), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		pids, doors := g.visits(t, visitors)
		g.want(t, pids, doors)
	})
}
