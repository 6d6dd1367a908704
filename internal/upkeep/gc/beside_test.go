package gc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
)

const ttl = 10 * day // of the storage of these tests; programs write again from half of it on

var soak = os.Getenv("MOPS_SOAK") != "" // tests of full size

var all = gc.Options{Calls: gc.Selection{Older: 4 * day}, Content: true, Remains: true, TTL: ttl, Grace: day, Delete: true, Parallel: 1}

// chain makes all kinds of calls with a file, and says what was wrong. It
// pauses between finding a result and using what it refers to.
func chain(ctx context.Context, p *program, path, content string, pause func()) error {
	given := in{Name: content, File: fileAt(path)}
	upper, _, err := do[string](ctx, p, "upper", in{Name: content}, false)
	if err != nil || upper != content+" in capitals" {
		return fmt.Errorf("upper: %q, %w", upper, err)
	}
	copied, _, err := do[file](ctx, p, "copy", given, false)
	if err != nil {
		return err
	}
	packed, _, err := do[file](ctx, p, "pack", given, false)
	if err != nil {
		return err
	}
	pause()
	for name, f := range map[string]struct {
		from file
		want string
	}{"file": {copied, content + " copied"}, "folder": {packed, content + " packed"}} {
		if got, _, err := do[string](ctx, p, "read", in{Name: name, File: f.from}, false); err != nil || got != f.want {
			return fmt.Errorf("reading the %s: %q, %w", name, got, err)
		}
	}
	for f, want := range map[file]string{copied: content + " copied", packed: content + " packed"} {
		path, err := f.ref.Path(ctx)
		if err != nil {
			return err
		}
		if f == packed {
			path = filepath.Join(path, "b")
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != want {
			return fmt.Errorf("%s holds %q, %w", path, data, err)
		}
	}
	return nil
}

// chained is chain in a program of its own. It returns the calls that it computed.
func chained(t testing.TB, root, path, content string, pause func()) (made []string, err error) {
	p := newProgram(t, root, ttl)
	err = errors.Join(chain(context.Background(), p, path, content, pause), p.close())
	return p.made, err
}

func noPause() {}

// Gc dies at each of its steps, before and after the step; programs go on from
// there, and so does the next gc, to the very end. Or programs make their calls
// while gc is at that step. Gc may have run before, so that it has calls to
// remove, or files and content.
func TestAtEveryStep(t *testing.T) {
	path := write(t, "content")
	stride := 3
	switch {
	case soak:
		stride = 1
	case testing.Short():
		stride = 30
	}
	for before := range 3 {
		for _, dies := range []bool{true, false} {
			at := 1
			for ; atStep(t, path, before, at, dies); at += stride {
			}
			t.Logf("after %d others, dies %t: at every %d of %d steps", before, dies, stride, at-stride)
		}
	}
}

// atStep reports whether gc came to that step.
func atStep(t *testing.T, path string, before, at int, dies bool) (came bool) {
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		if _, err := chained(t, b.root, path, "content", noPause); err != nil {
			t.Fatal(err)
		}
		for range before {
			time.Sleep(20 * day)
			b.gc(all)
		}
		time.Sleep(20 * day)
		var made []string
		var failed error
		calls := make(chan struct{})
		call := func() {
			defer close(calls)
			made, failed = chained(t, b.root, path, "content", noPause)
		}
		var n atomic.Int64
		step := func(op blobtest.Op, key string) error {
			if strings.HasPrefix(key, lease.SessionPrefix) {
				return nil // renewals come when they come
			}
			n := int(n.Add(1))
			if n == at && !dies {
				go call()
				synctest.Wait() // they are done, or wait for gc
			}
			if n >= at && dies {
				return &driver.Error{Kind: driver.Denied, Err: errors.New("gc is dead")}
			}
			return nil
		}
		report, err := gc.Run(t.Context(), blobtest.Faulty(b.store, blobtest.FaultPlan{Before: step, After: step}), all)
		if came = int(n.Load()) >= at; !came {
			return
		}
		what := fmt.Sprintf("step %d after %d others, dies %t", at, before, dies)
		if dies {
			time.Sleep(time.Minute) // until its session is dead, too
			call()
		} else if err != nil || len(report.Problems) > 0 {
			t.Errorf("%s: gc: %v, %q", what, err, report.Problems)
		}
		if <-calls; failed != nil {
			t.Errorf("%s: %v", what, failed)
		}
		for _, path := range made {
			if _, err := b.store.Stat(t.Context(), path+"/result"); err != nil {
				t.Errorf("%s: what was computed meanwhile is gone: %v", what, err)
			}
		}
		if _, err := chained(t, b.root, path, "content", noPause); err != nil {
			t.Errorf("%s, afterwards: %v", what, err)
		}
		for range 4 {
			time.Sleep(20 * day)
			b.gc(all)
		}
		if left := b.keys(""); len(left) > 0 {
			t.Errorf("%s: in the end there is %s", what, left)
		}
	})
	return came
}

// Programs make calls for months, now and then and for hours, while gc removes
// all that it may every few hours. No call fails, and no result is wrong. The
// store's clock is wrong by an hour; neither gc's machine nor the programs'
// need to know.
func TestProgramsBesideGC(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: programs beside gc for months")
	}
	const contents = 3
	span := 90 * day
	if soak {
		span = 2000 * day
	}
	var paths [contents]string
	for i := range paths {
		paths[i] = write(t, fmt.Sprint("content ", i))
	}
	for _, skew := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := newTable(t)
			b.store.Driver().(*memblob.Store).SetClock(func() time.Time { return time.Now().Add(skew) })
			end := time.Now().Add(span)
			var programs sync.WaitGroup
			var chains atomic.Int64
			for i := range 5 {
				random := rand.New(rand.NewPCG(uint64(i), uint64(skew)))
				programs.Go(func() {
					for time.Now().Before(end) {
						n := random.IntN(contents)
						pause := func() { time.Sleep(time.Duration(random.Int64N(int64(90 * time.Minute)))) }
						if _, err := chained(t, b.root, paths[n], fmt.Sprint("content ", n), pause); err != nil {
							t.Errorf("%v: %v", time.Now(), err)
						}
						chains.Add(1)
						time.Sleep(time.Duration(random.Int64N(int64(12 * day)))) // some find it young, some old, some gone
					}
				})
			}
			over := make(chan struct{})
			go func() { programs.Wait(); close(over) }()
			freed, fates := gc.Total{}, map[gc.Fate]int64{}
			random := rand.New(rand.NewPCG(99, 99))
			o := all
			o.Calls.Older, o.Parallel = day, 4
			for done := false; !done; {
				report := b.gc(o)
				freed.Count += report.Freed.Count
				for fate, n := range report.Fates {
					fates[fate] += n
				}
				select {
				case <-over:
					done = true
				case <-time.After(time.Duration(random.Int64N(int64(8 * time.Hour)))):
				}
			}
			t.Logf("skew %v: %d chains of calls; gc removed %d blobs, and did with calls: %v", skew, chains.Load(), freed.Count, fates)
			if freed.Count < 200 || fates[gc.Removed] < 20 || fates[gc.Later] < 20 {
				t.Error("gc had too little to do for this to prove anything")
			}
		})
	}
}

// If deletes are not acknowledged, or come too often, gc neither removes
// anything twice nor gives up.
func TestStoreThatFails(t *testing.T) {
	path := write(t, "content")
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		if _, err := chained(t, b.root, path, "content", noPause); err != nil {
			t.Fatal(err)
		}
		rates := map[blobtest.Op]float64{blobtest.OpAny: 0.2}
		plan := blobtest.FaultPlan{Seed: 1, Fail: rates, LoseAck: rates, Cut: 0.2}
		for range 4 {
			time.Sleep(20 * day)
			if _, err := gc.Run(t.Context(), blobtest.Faulty(b.store, plan), all); err != nil {
				t.Error(err)
			}
			plan.Seed++
		}
		time.Sleep(20 * day)
		b.gc(all)
		if left := b.keys(""); len(left) > 0 {
			t.Errorf("in the end there is %s", left)
		}
	})
}

// An interrupted gc leaves a root that is in order.
func TestInterrupt(t *testing.T) {
	path := write(t, "content")
	synctest.Test(t, func(t *testing.T) {
		b := newTable(t)
		if _, err := chained(t, b.root, path, "content", noPause); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * day)
		ctx, cancel := context.WithCancel(t.Context())
		plan := blobtest.FaultPlan{Before: func(op blobtest.Op, key string) error {
			if op == blobtest.OpDelete && strings.HasSuffix(key, "/result") {
				cancel()
			}
			return nil
		}}
		if _, err := gc.Run(ctx, blobtest.Faulty(b.store, plan), all); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		for _, key := range b.keys("mops1/") {
			key, _, _ := strings.Cut(key, " ")
			if !strings.HasSuffix(key, "/lease") {
				continue
			}
			if state, _, err := lease.Read(t.Context(), b.store, key); err != nil || state.Executor == "mops gc" && state.Status == lease.StatusHeld {
				t.Errorf("%s is still held: %v", key, err)
			}
		}
		if _, err := chained(t, b.root, path, "content", noPause); err != nil {
			t.Error(err)
		}
	})
}
