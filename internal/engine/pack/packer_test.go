package pack_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// cluster is an executor in made-up time: its workers are goroutines, and a call
// is a pause.
type cluster struct {
	store *blob.Store
	takes func(call packs.Call) time.Duration
	delay time.Duration                                      // until workers run
	room  func(index int) bool                               // which workers ever run; nil: all
	ends  func(ctx context.Context, index int) executor.Exit // in place of working; nil: they work
	side  int

	released func() // called when workers are released; may be nil

	mu     sync.Mutex
	last   *fakeGroup
	groups []executor.Invocation
	begun  map[string]int // how often a call was begun
}

func (c *cluster) Name() string { return "cluster" }

func (c *cluster) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	c.mu.Lock()
	c.groups = append(c.groups, inv)
	c.mu.Unlock()
	run, cancel := context.WithCancel(context.Background())
	g := &fakeGroup{cancel: cancel, done: make(chan struct{}), released: c.released}
	c.mu.Lock()
	c.last = g
	c.mu.Unlock()
	var workers sync.WaitGroup
	for index := range inv.Workers {
		if c.room != nil && !c.room(index) {
			continue
		}
		workers.Go(func() {
			time.Sleep(c.delay)
			inv.Tell(executor.Running)
			if c.ends != nil {
				g.end(c.ends(run, index))
				return
			}
			code, err := pack.Worker{
				Pack: packs.Pack{Store: c.store, ID: inv.LeaseID}, Side: c.side, Index: index, Executor: process{c},
				Logger: slog.New(slog.DiscardHandler), Keep: func(packs.Call) pack.Keeper { return silent{} },
			}.Run(run)
			if err != nil {
				g.end(executor.Exit{Code: code, Err: &executor.Error{Reason: executor.WorkerFailed, Message: err.Error()}})
			}
		})
	}
	go func() { workers.Wait(); cancel(); close(g.done) }()
	return g, nil
}

func (c *cluster) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, nil
}

type fakeGroup struct {
	cancel   func()
	done     chan struct{}
	released func()
	mu       sync.Mutex
	exit     executor.Exit
}

func (g *fakeGroup) end(exit executor.Exit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.exit = exit
}

func (g *fakeGroup) Handle() string { return "" }
func (g *fakeGroup) Release() {
	if g.released != nil {
		g.released()
	}
}

func (g *fakeGroup) Stop(context.Context) error { g.cancel(); <-g.done; return nil }

func (g *fakeGroup) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-g.done:
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.exit, nil
	case <-ctx.Done():
		return executor.Exit{}, ctx.Err()
	}
}

type silent struct{}

func (silent) Write([]byte)                              {}
func (silent) Close(context.Context, executor.Exit) bool { return false }

// process runs a call as a pause.
type process struct{ c *cluster }

func (p process) Name() string { return "process" }
func (p process) Attach(context.Context, executor.Invocation, string) (executor.Worker, error) {
	return nil, executor.ErrGone
}

func (p process) Start(_ context.Context, inv executor.Invocation) (executor.Worker, error) {
	p.c.mu.Lock()
	if p.c.begun == nil {
		p.c.begun = map[string]int{}
	}
	p.c.begun[inv.MemoURI]++
	again := p.c.begun[inv.MemoURI] > 1
	p.c.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	g := &fakeGroup{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(g.done)
		if again { // as its lease would tell
			g.end(executor.Exit{Code: executor.ExitLost})
			return
		}
		select {
		case <-time.After(p.c.takes(packs.Call{MemoURI: inv.MemoURI})):
		case <-ctx.Done():
			g.end(executor.Exit{Code: -1, Err: &executor.Error{Reason: executor.Signalled, Message: "stopped", Err: context.Canceled}})
		}
	}()
	return g, nil
}

// rig is a packer with its cluster.
type rig struct {
	*cluster
	*pack.Packer
	owned *sync.WaitGroup
}

func newRig(c *cluster, p executor.Packing, change ...func(*pack.Config)) rig {
	c.store, c.side = blob.New("mem://packs", memblob.New()), max(p.Side, 1)
	owned := &sync.WaitGroup{}
	config := pack.Config{Executor: c, Packing: p, Store: c.store, Function: "f@1", Logger: slog.New(slog.DiscardHandler),
		Go:  func(do func()) { owned.Go(do) },
		Env: func(context.Context, packs.Pack, int) ([]string, error) { return nil, nil }}
	for _, do := range change {
		do(&config)
	}
	return rig{c, pack.New(config), owned}
}

func (r rig) call(name string) *pack.Member {
	for {
		m, err := r.Join(executor.Invocation{Function: "f@1", MemoURI: name, ID: executor.ID{LeaseID: name}}, r.Handle())
		if !errors.Is(err, pack.ErrLaunched) {
			return m
		}
	}
}

func (r rig) calls(n int) (all []*pack.Member) {
	for i := range n {
		all = append(all, r.call(fmt.Sprint("call ", i)))
		if i == 0 {
			synctest.Wait() // the history is known
		}
	}
	return all
}

// wait returns how many had each fate.
func (r rig) wait(t *testing.T, all []*pack.Member) map[pack.Fate]int {
	t.Helper()
	fates := map[pack.Fate]int{}
	synctest.Wait()
	for i, m := range all {
		if m.Fate() == pack.Again {
			all[i] = r.call(m.URI())
		}
	}
	for _, m := range all {
		if _, err := m.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if fates[m.Fate()]++; m.Fate() == pack.Single {
			r.SingleEnded(m, 0)
		}
	}
	r.owned.Wait()
	return fates
}

// took is a history of runs that took so long.
func took(walls ...time.Duration) func(context.Context) ([]executor.Past, error) {
	return func(context.Context) (past []executor.Past, _ error) {
		for _, wall := range walls {
			past = append(past, executor.Past{Wall: wall}, executor.Past{Wall: time.Hour, Reason: executor.OOMKilled})
		}
		return past, nil
	}
}

func always(d time.Duration) func(packs.Call) time.Duration {
	return func(packs.Call) time.Duration { return d }
}

// Packs start small, and then fit the time that was asked for.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		name    string
		takes   time.Duration
		packing executor.Packing
		history []time.Duration
		calls   int
		sizes   []int // of the packs
		workers []int // of the groups
	}{
		{"short calls", 10 * time.Millisecond, executor.Packing{Work: 10 * time.Second, Side: 4, Most: 16}, nil,
			3000, []int{4, 2996}, []int{1}},
		{"many short calls", 10 * time.Millisecond, executor.Packing{Work: 10 * time.Second, Side: 4}, []time.Duration{10 * time.Millisecond},
			10000, []int{4000, 4000, 2000}, []int{1, 1, 1}},
		{"room for all", 10 * time.Millisecond, executor.Packing{Work: time.Minute, Side: 4}, []time.Duration{10 * time.Millisecond},
			10000, []int{4000, 4000, 2000}, []int{1}},
		{"a limit", 100 * time.Millisecond, executor.Packing{Work: 10 * time.Second, Side: 2, Most: 8}, nil,
			3000, []int{2, 2998}, []int{1, 3}}, // the first worker has not ended yet
		{"history", 100 * time.Millisecond, executor.Packing{Work: 10 * time.Second, Side: 2}, []time.Duration{100 * time.Millisecond},
			1000, []int{1000}, []int{5}},
		{"longer than the pack", 20 * time.Second, executor.Packing{Work: 5 * time.Second, Side: 1, Most: 8}, []time.Duration{20 * time.Second},
			8, []int{8}, []int{8}},
		{"long calls, of which nothing is known", time.Minute, executor.Packing{Work: 10 * time.Second, Side: 1}, nil,
			9, []int{1, 8}, []int{1, 4}}, // the probe says at least 5 s
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(&cluster{takes: always(c.takes), delay: 2 * time.Second}, c.packing, func(config *pack.Config) {
					config.EvenOne = true
					config.History = took(c.history...)
				})
				all := r.calls(c.calls)
				if fates := r.wait(t, all); fates[pack.Ran] != c.calls {
					t.Errorf("fates %v", fates)
				}
				var sizes, workers []int
				for i, m := range all {
					if i == 0 || m.Handle() != all[i-1].Handle() {
						sizes = append(sizes, 0)
					}
					sizes[len(sizes)-1]++
				}
				for _, inv := range r.groups {
					workers = append(workers, inv.Workers)
				}
				if fmt.Sprint(sizes) != fmt.Sprint(c.sizes) || fmt.Sprint(workers) != fmt.Sprint(c.workers) {
					t.Errorf("packs of %v calls with %v workers, want %v with %v", sizes, workers, c.sizes, c.workers)
				}
				met := 0
				for _, n := range r.begun {
					met += n - 1
				}
				if len(r.begun) != c.calls || met > c.calls/10 {
					t.Errorf("%d calls were begun, and workers met %d times", len(r.begun), met)
				}
			})
		})
	}
}

// A call that comes alone needs no pack.
func TestSingle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(time.Second)}, executor.Packing{Work: time.Minute})
		began := time.Now()
		if fates := r.wait(t, r.calls(1)); fates[pack.Single] != 1 {
			t.Errorf("fates %v", fates)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("it waited %v for others", took)
		}
	})
}

// A cluster that has room for one worker only computes all calls with that one.
func TestRoomForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(time.Second), room: func(index int) bool { return index == 1 }},
			executor.Packing{Work: 10 * time.Second}, func(c *pack.Config) {
				c.History = took(time.Second)
			})
		if fates := r.wait(t, r.calls(40)); fates[pack.Ran] != 40 {
			t.Errorf("fates %v", fates)
		}
		if n := r.groups[0].Workers; n != 4 {
			t.Errorf("%d workers, want 4", n)
		}
	})
}

// A worker with a slow call does not keep the others of its slice waiting.
func TestSlowNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{takes: func(call packs.Call) time.Duration {
			if call.MemoURI == "call 0" {
				return time.Hour
			}
			return time.Second
		}}
		r := newRig(c, executor.Packing{Work: 20 * time.Second}, func(c *pack.Config) {
			c.History = took(time.Second)
		})
		all := r.calls(40) // two workers, and the first has call 0
		began := time.Now()
		for _, m := range all[1:] {
			if _, err := m.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 45*time.Second {
			t.Errorf("39 calls of a second took one free worker %v", took)
		}
		r.wait(t, all)
	})
}

// What could not begin fails with the reason; what was not begun when a group
// broke off goes elsewhere.
func TestGroupFails(t *testing.T) {
	broken := executor.Exit{Code: -1, Err: &executor.Error{Reason: "ImagePull", Message: "no such image"}}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{ends: func(context.Context, int) executor.Exit { return broken }}, executor.Packing{Work: time.Minute, Side: 4})
		all := r.calls(4)
		if fates := r.wait(t, all); fates[pack.Failed] != 4 {
			t.Errorf("fates %v", fates)
		}
		if exit, _ := all[0].Wait(t.Context()); exit.Err == nil || exit.Err.Reason != "ImagePull" {
			t.Errorf("exit %+v", exit)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{}
		c.ends = func(ctx context.Context, index int) executor.Exit {
			p := packs.Pack{Store: c.store, ID: c.groups[0].LeaseID}
			p.Append(ctx, index, 1, []packs.Entry{{Call: 0, Began: true}, {Call: 1, Began: true}, {Call: 1, Ended: &packs.Ended{}}})
			return broken
		}
		r := newRig(c, executor.Packing{Work: time.Minute, Side: 4})
		if fates := r.wait(t, r.calls(4)); fates[pack.Lost] != 1 || fates[pack.Ran] != 1 || fates[pack.Unrun] != 2 {
			t.Errorf("fates %v", fates)
		}
	})
}

// One call is given up: it stops, whether it runs or not, and the others go on.
func TestStopOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(20 * time.Second)}, executor.Packing{Work: time.Hour, Side: 1}, func(c *pack.Config) {
			c.History = took(20 * time.Second)
		})
		all := r.calls(4)
		time.Sleep(5 * time.Second)
		began := time.Now()
		for _, m := range []*pack.Member{all[0], all[2]} { // one runs, one waits
			if err := m.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if exit, err := m.Wait(t.Context()); err != nil || exit.Err == nil || !errors.Is(exit.Err, context.Canceled) {
				t.Errorf("exit %+v, %v", exit, err)
			}
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("that took %v", took)
		}
		r.wait(t, all)
		if r.begun["call 2"] != 0 || r.begun["call 1"] != 1 || r.begun["call 3"] != 1 {
			t.Errorf("begun: %v", r.begun)
		}
	})
}

// A program that gave one call up can leave the others running.
func TestLeaveAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(time.Hour)}, executor.Packing{Work: time.Hour, Side: 2}, func(c *pack.Config) {
			c.History = took(time.Second)
		})
		all := r.calls(4)
		time.Sleep(5 * time.Second)
		if err := all[0].Stop(t.Context()); err != nil {
			t.Error(err)
		}
		began := time.Now()
		for _, m := range all[1:] {
			m.Release()
		}
		r.owned.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("that took %v", took)
		}
		time.Sleep(3 * time.Hour) // the workers run on, and end
	})
}

// All calls are given up at once: their workers are stopped, as on Ctrl-C.
func TestStopAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(time.Hour)}, executor.Packing{Work: time.Hour, Side: 2}, func(c *pack.Config) {
			c.History = took(time.Second)
		})
		all := r.calls(10)
		time.Sleep(5 * time.Second)
		var stopping sync.WaitGroup
		began := time.Now()
		for _, m := range all {
			stopping.Go(func() {
				if err := m.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		stopping.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("that took %v", took)
		}
		r.owned.Wait()
		for _, m := range all {
			if exit, err := m.Wait(t.Context()); err != nil || !errors.Is(exit.Err, context.Canceled) {
				t.Errorf("exit %+v, %v", exit, err)
			}
		}
	})
}

// A slow stream of calls does not become a stream of small groups.
func TestSlowStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(10 * time.Millisecond), delay: 2 * time.Second}, executor.Packing{Work: time.Minute})
		var waiting sync.WaitGroup
		var mu sync.Mutex
		fates := map[pack.Fate]int{}
		for i := range 200 {
			waiting.Go(func() {
				m := r.call(fmt.Sprint("call ", i))
				m.Wait(t.Context())
				for m.Fate() == pack.Again {
					m = r.call(m.URI())
					m.Wait(t.Context())
				}
				if m.Fate() == pack.Single {
					time.Sleep(2 * time.Second)
					r.SingleEnded(m, 10*time.Millisecond)
				}
				mu.Lock()
				defer mu.Unlock()
				fates[m.Fate()]++
			})
			time.Sleep(150 * time.Millisecond)
		}
		waiting.Wait()
		r.owned.Wait()
		if n := len(r.groups) + fates[pack.Single]; fates[pack.Ran]+fates[pack.Single] != 200 || n > 3 {
			t.Errorf("%d groups and Jobs for 30 s; fates %v", n, fates)
		}
	})
}

// Workers that have nothing to begin stay as long as a start would take: calls that
// come one after another find them.
func TestOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(time.Second), delay: 5 * time.Second}, executor.Packing{Work: time.Minute}, func(c *pack.Config) {
			c.EvenOne = true
		})
		for i := range 10 {
			if _, err := r.call(fmt.Sprint("call ", i)).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		began := time.Now()
		r.owned.Wait()
		if took := time.Since(began); len(r.groups) != 1 || took > 5*time.Second {
			t.Errorf("%d groups; the last one ended after %v", len(r.groups), took)
		}
	})
}

// A program that ends does not wait for calls that might come.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: always(time.Second)}, executor.Packing{Work: time.Hour}, func(c *pack.Config) { c.EvenOne = true })
		r.call("call").Wait(t.Context())
		r.Drain()
		began := time.Now()
		r.owned.Wait()
		if took := time.Since(began); took > time.Second {
			t.Errorf("that took %v", took)
		}
	})
}

// A slow call of one pack keeps no process from the next pack, which its workers
// were handed.
func TestSlowCallBeforeNextPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(&cluster{takes: func(call packs.Call) time.Duration {
			if call.MemoURI == "call 0" {
				return 10 * time.Minute
			}
			return time.Second
		}}, executor.Packing{Work: time.Hour, Side: 2}, func(c *pack.Config) { c.History = took(time.Second) })
		all := r.calls(10)
		time.Sleep(2 * time.Second)
		began := time.Now()
		later := r.calls(30)[10:]
		for _, m := range later {
			if _, err := m.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 40*time.Second || len(r.groups) != 1 {
			t.Errorf("20 calls of a second took %v, with %d groups", took, len(r.groups))
		}
		r.wait(t, all)
	})
}

// Workers that break off leave a pack that they were handed to others.
func TestGroupFailsBeforeNextPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{takes: always(time.Second)}
		breaks := make(chan struct{})
		c.ends = func(ctx context.Context, index int) executor.Exit {
			p := packs.Pack{Store: c.store, ID: c.groups[0].LeaseID}
			p.Append(ctx, index, 1, []packs.Entry{{Call: 0, Began: true}, {Call: 0, Ended: &packs.Ended{}}, {Call: 1, Began: true}})
			<-breaks
			return executor.Exit{Code: -1, Err: &executor.Error{Reason: executor.WorkerLost, Message: "its node is gone"}}
		}
		r := newRig(c, executor.Packing{Work: time.Hour, Side: 2}, func(c *pack.Config) { c.History = took(time.Second) })
		first := r.calls(2)
		time.Sleep(2 * time.Second)
		next := []*pack.Member{r.call("call 2"), r.call("call 3")}
		time.Sleep(2 * time.Second)
		if err := next[0].Stop(t.Context()); err != nil { // one of a pack that nobody came to yet
			t.Error(err)
		}
		close(breaks)
		if fates := r.wait(t, append(first, next...)); fates[pack.Ran] != 1 || fates[pack.Lost] != 1 || fates[pack.Unrun] != 2 || len(r.groups) != 1 {
			t.Errorf("fates %v, %d groups", fates, len(r.groups))
		}
	})
}

// Workers whose program is dead end by themselves, and a pack that comes too late
// goes elsewhere.
func TestForsaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{takes: always(time.Second)}
		r := newRig(c, executor.Packing{Work: time.Hour})
		p := packs.Pack{Store: r.store, ID: "pack"}
		if err := p.PutList(t.Context(), []packs.Call{{Function: "f@1", MemoURI: "call"}}, packs.Shape{Workers: 2}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w, err := c.Start(t.Context(), executor.Invocation{ID: executor.ID{LeaseID: p.ID}, Workers: 2, Tell: func(executor.Stage) {}})
		if err != nil {
			t.Fatal(err)
		}
		if exit, err := w.Wait(t.Context()); err != nil || exit.Err != nil {
			t.Errorf("%+v, %v", exit, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("they stayed for %v", took)
		}
		if err := p.PutNext(t.Context(), 1, "late"); !blob.Is(err, blob.Exists) {
			t.Errorf("a pack that comes too late: %v", err)
		}
	})
}
