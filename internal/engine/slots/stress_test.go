package slots_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

// TestStress: random calls, some cancelled at the worst moment, through three
// processes' views of one pool. Never do more run than there are slots, and in
// the end all slots are free.
func TestStress(t *testing.T) {
	const limit = 3
	runs := 300
	if os.Getenv("MOPS_SOAK") != "" {
		runs = 20_000
	}
	pools, server := tree(t)
	views := []slots.Pool{
		pools.Pool("p", limit),
		dial(t, server.Path(), limit),
		dial(t, server.Path(), limit),
	}
	var running, most atomic.Int32
	work := func() {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		runtime.Gosched()
		running.Add(-1)
	}
	var all sync.WaitGroup
	for g := range 12 {
		random := rand.New(rand.NewPCG(1, uint64(g)))
		all.Go(func() {
			for i := range runs {
				name := strconv.Itoa(g) + "/" + strconv.Itoa(i)
				own, worker := views[random.IntN(3)], views[random.IntN(3)]
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(4) == 0 {
					time.AfterFunc(time.Duration(random.IntN(200))*time.Microsecond, cancel)
				}
				if err := own.Acquire(ctx, name); err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					cancel()
					continue
				}
				work()
				for range random.IntN(3) {
					worker.Pause(name)
					if err := worker.Resume(ctx, name); err != nil {
						break
					}
					work()
				}
				own.Release(name)
				cancel()
			}
		})
	}
	all.Wait()
	if n := most.Load(); n > limit {
		t.Errorf("%d ran side by side on %d slots", n, limit)
	}
	free(t, views[0], limit)
}

// TestManyWaiters: 100,000 waiters cost little more than their goroutines do.
func TestManyWaiters(t *testing.T) {
	count := 20_000
	if os.Getenv("MOPS_SOAK") != "" {
		count = 100_000
	}
	end := make(chan struct{})
	bare := costOf(count, func(int) { <-end })
	close(end)
	bare.all.Wait()

	pool := slots.Local(1)
	must(t, pool.Acquire(t.Context(), "first"))
	waiting := costOf(count, func(i int) {
		name := strconv.Itoa(i)
		must(t, pool.Acquire(t.Context(), name))
		pool.Release(name)
	})
	t.Logf("a waiter costs %d bytes, a bare goroutine %d", waiting.each, bare.each)
	if waiting.each > 2*bare.each {
		t.Errorf("a waiter costs %d bytes, a bare goroutine %d", waiting.each, bare.each)
	}
	start := time.Now()
	pool.Release("first")
	waiting.all.Wait()
	t.Logf("%d waiters were served in %v", count, time.Since(start))
	free(t, pool, 1)
}

// crowd is a number of goroutines that wait.
type crowd struct {
	all  sync.WaitGroup
	each uint64 // bytes
}

func costOf(count int, wait func(i int)) *crowd {
	before := memory()
	var c crowd
	var begun sync.WaitGroup
	for i := range count {
		begun.Add(1)
		c.all.Go(func() {
			begun.Done()
			wait(i)
		})
	}
	begun.Wait()
	c.each = (memory() - before) / uint64(count)
	return &c
}

// memory returns the bytes of heap and stacks in use.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func BenchmarkAcquireRelease(b *testing.B) {
	pool := slots.Local(2)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if err := pool.Acquire(ctx, "a"); err != nil {
			b.Fatal(err)
		}
		pool.Release("a")
	}
}

func BenchmarkPauseResume(b *testing.B) {
	pool := slots.Local(2)
	ctx := b.Context()
	pool.Acquire(ctx, "a")
	b.ReportAllocs()
	for b.Loop() {
		pool.Pause("a")
		pool.Resume(ctx, "a")
	}
}

func BenchmarkRemoteAcquireRelease(b *testing.B) {
	server, err := slots.Serve(new(slots.Pools))
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	pool, err := slots.Dial(server.Path(), "p", 2)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := pool.Acquire(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
		pool.Release("a")
	}
}
