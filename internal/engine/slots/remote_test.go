package slots_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

func TestProcessesShareSlots(t *testing.T) {
	pools, server := tree(t)
	own := pools.Pool("p", 2)
	one, two := dial(t, server.Path(), 2), dial(t, server.Path(), 2)
	ctx := t.Context()
	must(t, own.Acquire(ctx, "a"))
	must(t, one.Acquire(ctx, "b"))
	free(t, two, 0)
	if err := two.Acquire(ctx, "a"); !errors.Is(err, slots.ErrHeld) {
		t.Errorf("Acquire of another process's holder: %v", err)
	}
	// A worker pauses the slot that its orchestrator took for it.
	two.Pause("a")
	free(t, one, 1)
	must(t, one.Acquire(ctx, "c"))
	resumed := make(chan error)
	go func() { resumed <- two.Resume(ctx, "a") }()
	one.Release("b")
	must(t, <-resumed)
	own.Release("a")
	one.Release("c")
	free(t, own, 2)
	must(t, two.Resume(ctx, "a")) // released: nothing to take
	free(t, own, 2)
}

// TestRecursionThroughProcesses: each level asks by another connection.
func TestRecursionThroughProcesses(t *testing.T) {
	_, server := tree(t)
	var clients [3]slots.Pool
	for i := range clients {
		clients[i] = dial(t, server.Path(), 2)
	}
	var call func(depth int) error
	call = func(depth int) error {
		name := strconv.Itoa(depth)
		orchestrator, worker := clients[depth%3], clients[(depth+1)%3]
		if err := orchestrator.Acquire(t.Context(), name); err != nil || depth == 0 {
			return err
		}
		defer orchestrator.Release(name)
		worker.Pause(name)
		err := call(depth - 1)
		return errors.Join(err, worker.Resume(t.Context(), name))
	}
	must(t, call(1000))
}

func TestCancelWhileQueuedElsewhere(t *testing.T) {
	pools, server := tree(t)
	own := pools.Pool("p", 1)
	pool := dial(t, server.Path(), 1)
	must(t, own.Acquire(t.Context(), "a"))
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- pool.Acquire(ctx, "b") }()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("Acquire, cancelled: %v", err)
	}
	own.Release("a")
	free(t, own, 1)
	must(t, pool.Acquire(t.Context(), "b"))
}

// TestConnectionDropped: what a process acquired goes with it, what others
// acquired for it stays theirs.
func TestConnectionDropped(t *testing.T) {
	pools, server := tree(t)
	own := pools.Pool("p", 3)
	ctx := t.Context()
	pool, err := slots.Dial(server.Path(), "p", 3)
	if err != nil {
		t.Fatal(err)
	}
	must(t, own.Acquire(ctx, "worker"))
	pool.Pause("worker")
	must(t, pool.Resume(ctx, "worker"))
	must(t, pool.Acquire(ctx, "running"))
	must(t, pool.Acquire(ctx, "paused"))
	pool.Pause("paused")
	must(t, own.Acquire(ctx, "another"))
	queued := make(chan error, 2)
	go func() { queued <- pool.Acquire(ctx, "queued") }()
	go func() { queued <- pool.Resume(ctx, "paused") }()
	free(t, own, 0)
	must(t, pool.Close())
	for range 2 {
		if err := <-queued; !errors.Is(err, slots.ErrClosed) {
			t.Errorf("Close of the connection: %v", err)
		}
	}
	must(t, own.Acquire(ctx, "next")) // an event: the drop has been seen
	free(t, own, 0)
	own.Release("next")
	own.Release("worker")
	own.Release("another")
	free(t, own, 3)
	must(t, own.Acquire(ctx, "queued")) // is no holder any more
	if err := pool.Acquire(ctx, "late"); !errors.Is(err, slots.ErrClosed) {
		t.Errorf("Acquire after Close: %v", err)
	}
	pool.Pause("late")
	pool.Release("late")
}

// TestConnectionDroppedWhileResuming: a worker that died takes no slot any more.
func TestConnectionDroppedWhileResuming(t *testing.T) {
	pools, server := tree(t)
	own := pools.Pool("p", 1)
	ctx := t.Context()
	pool, err := slots.Dial(server.Path(), "p", 1)
	if err != nil {
		t.Fatal(err)
	}
	must(t, own.Acquire(ctx, "worker"))
	pool.Pause("worker")
	must(t, pool.Acquire(ctx, "nested"))
	resumed, next := make(chan error), make(chan error)
	go func() { resumed <- pool.Resume(ctx, "worker") }()
	go func() { next <- own.Acquire(ctx, "next") }()
	free(t, pool, 0) // by now both wait
	must(t, pool.Close())
	if err := <-resumed; !errors.Is(err, slots.ErrClosed) {
		t.Errorf("Close of the connection: %v", err)
	}
	// The slot of the nested call goes to the living, though resumes go first.
	must(t, <-next)
	own.Release("worker")
	own.Release("next")
	free(t, own, 1)
}

// TestServerKilled: whoever waits goes on with slots of its own, as many; those
// who ran keep theirs.
func TestServerKilled(t *testing.T) {
	path, kill := serve(t)
	pool := dial(t, path, 2)
	ctx := t.Context()
	must(t, pool.Acquire(ctx, "running"))
	must(t, pool.Acquire(ctx, "paused"))
	pool.Pause("paused")
	pool.Pause("paused")
	pool.Pause("paused")
	must(t, pool.Resume(ctx, "paused"))
	must(t, pool.Acquire(ctx, "other"))
	// A worker that runs on after its orchestrator has released it counts neither
	// here nor there.
	pool.Pause("released")
	must(t, pool.Resume(ctx, "released"))

	var waiting sync.WaitGroup
	var running atomic.Int32
	waiting.Add(100)
	ended := make(chan error, 100)
	for i := range 100 {
		go func() {
			waiting.Done()
			name := strconv.Itoa(i)
			err := pool.Acquire(ctx, name)
			if n := running.Add(1); n > 2 {
				err = errors.Join(err, errors.New("more than two run"))
			}
			running.Add(-1)
			pool.Release(name)
			ended <- err
		}()
	}
	waiting.Wait()
	kill()
	pool.Release("running")
	pool.Release("other")
	for range 100 {
		must(t, <-ended)
	}
	free(t, pool, 2)
	must(t, pool.Resume(ctx, "paused")) // still waits for its other call
	free(t, pool, 2)
	must(t, pool.Resume(ctx, "paused"))
	free(t, pool, 1)
	pool.Release("paused")
	free(t, pool, 2)
	if _, err := slots.Dial(path, "p", 2); err == nil {
		t.Error("Dial found a server that is dead")
	}
}

// TestSweep: what a killed server left is removed by the next, in time.
func TestSweep(t *testing.T) {
	dead, kill := serve(t)
	kill()
	temp := filepath.Dir(filepath.Dir(dead))
	t.Setenv("TMPDIR", temp)
	_, living := tree(t)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Dir(living.Path()), old, old); err != nil {
		t.Fatal(err)
	}
	next := func() {
		server, err := slots.Serve(new(slots.Pools))
		if err != nil {
			t.Fatal(err)
		}
		must(t, server.Close())
	}
	next()
	if _, err := os.Stat(dead); err != nil {
		t.Errorf("a young socket was removed: %v", err)
	}
	if err := os.Chtimes(filepath.Dir(dead), old, old); err != nil {
		t.Fatal(err)
	}
	next()
	if _, err := os.Stat(filepath.Dir(dead)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dead server's folder is still there (%v)", err)
	}
	free(t, dial(t, living.Path(), 1), 1)
}

func TestLongTempDir(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	pools, server := tree(t)
	pools.Pool("p", 1)
	free(t, dial(t, server.Path(), 1), 1)
	if left, err := os.ReadDir(long); err != nil || len(left) > 0 {
		t.Errorf("%v, %v: left over", left, err)
	}
	info, err := os.Stat(filepath.Dir(server.Path()))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder is open to others: %v, %v", info.Mode(), err)
	}
}

// TestNonsense: a process that talks nonsense is cut off and harms nobody.
func TestNonsense(t *testing.T) {
	pools, server := tree(t)
	const open = "\x85\x01\x00\x61p\x01\x60"
	for _, nonsense := range []string{
		"GET / HTTP/1.1\r\n\r\n",
		"\x85\x02\x01\x61p\x00\x60",        // no pool is opened
		"\x85\x01\x00\x61p\x00\x60",        // no limit
		open + "\x85\x01\x00\x61q\x01\x60", // opened twice
		open + "\x85\x07\x00\x60\x00\x60",  // the server asked nothing
		open + "\x85\x02\x01\x7a\x00\x10\x00\x00" + strings.Repeat("x", 1<<20) + "\x00\x60", // a very long name
		"\x85\x02\x01\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
		strings.Repeat("\xff", 100),
	} {
		conn, err := net.Dial("unix", server.Path())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(nonsense))
		conn.(*net.UnixConn).CloseWrite()
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%q was answered", nonsense)
		}
		conn.Close()
	}
	free(t, pools.Pool("p", 1), 1)
}
