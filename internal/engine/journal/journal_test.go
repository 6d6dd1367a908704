package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

const id = "2611231200-SkirtBusRiver"

// bench is a journal over a store that may fail.
type bench struct {
	*Journal
	store   *blob.Store
	fails   atomic.Pointer[driver.Error]
	puts    atomic.Int64
	written atomic.Int64 // bytes
	log     syncbuf.Buffer
}

func newBench(worker string) *bench {
	b := &bench{}
	b.store = blob.New("test://root", memblob.New())
	b.Journal = New(Options{
		Head: programs.Head{ID: id, Program: "/bin/forecast", Start: time.Now().UTC()}, Worker: worker, Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
		Open: func(context.Context, string) (*blob.Store, error) {
			return blob.New("test://root", failing{b.store.Driver(), b}), nil
		},
	})
	return b
}

// failing fails puts.
type failing struct {
	driver.Store
	b *bench
}

func (f failing) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	f.b.puts.Add(1)
	f.b.written.Add(size)
	if err := f.b.fails.Load(); err != nil {
		return driver.Info{}, err
	}
	return f.Store.Put(ctx, key, body, size, opts)
}

func (f failing) Close() error { return nil }

func (b *bench) read(t *testing.T) *programs.Run {
	t.Helper()
	run, err := programs.Read(t.Context(), b.store, id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func path(function string, n uint64) string { return fmt.Sprintf("mops1/p/%s/a-b-c.%d", function, n) }

func at(kind event.Kind, call uint64, function string) event.Event {
	return event.Event{Kind: kind, Time: time.Now(), Call: call, Function: function, MemoURI: "test://root/" + path(function, call), Path: path(function, call), Asked: time.Now()}
}

func (b *bench) hit(n uint64) {
	e := at(event.Ended, n, "clean@1")
	e.Outcome, e.RunID, e.Wall, e.CPU, e.PeakMemory = event.Hit, "2611201200-OldRun", 2*time.Second, time.Second, 1<<29
	e.Place = executor.Place{Requests: executor.Resources{GPU: 0.5}, Spot: true}
	b.Observe(&e)
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("")
		b.In("test://root")
		b.In("test://other")
		asked := at(event.Asked, 1, "train@2")
		asked.Caller = "test://root/mops1/p/all@0/x"
		b.Observe(&asked)
		time.Sleep(time.Second)
		step := func(kind event.Kind, change func(e *event.Event)) {
			e := at(kind, 1, "train@2")
			e.Asked = asked.Asked
			change(&e)
			told := e
			if b.Observe(&e); e != told { // the observers behind the journal get the same one
				t.Errorf("the journal has changed %+v to %+v", told, e)
			}
			time.Sleep(time.Second)
		}
		joined := func(e *event.Event) { e.Caller = "test://root/mops1/p/other@0/x" }
		step(event.Joined, joined)
		step(event.Joined, joined)
		begin := func(attempt int) func(e *event.Event) {
			return func(e *event.Event) {
				e.ID = executor.ID{RunID: fmt.Sprint("2611231200-Run", attempt), Attempt: attempt, Executor: "k8s"}
			}
		}
		place := executor.Place{Host: "pod-1", Node: "node-1", Limits: executor.Resources{Memory: 2 << 30}, Requests: executor.Resources{CPU: 4, GPU: 1}, Spot: true}
		stage := func(s executor.Stage) func(e *event.Event) {
			return func(e *event.Event) { e.Stage, e.Place = s, place }
		}
		step(event.Started, begin(1)) // at 3 s
		step(event.Stage, stage(executor.Pending))
		step(event.Stage, stage(executor.Running)) // at 5 s
		step(event.AttemptEnded, func(e *event.Event) {
			begin(1)(e)
			e.Reason, e.Err, e.Again, e.Wall = "oom", errors.New("it ran out of memory\nsadly"), true, time.Second
		})
		step(event.Waiting, func(e *event.Event) { e.Wait = event.ForRetry })
		step(event.Started, begin(2))
		step(event.Stage, stage(executor.Running)) // at 9 s

		b.hit(2)
		time.Sleep(5 * time.Second) // a colleague looks
		live := b.read(t)
		if f := live.State.Functions; len(f) != 2 || f[0].Running != 1 || f[1].Hits != 1 || len(live.Calls) != 1 || live.Ended != nil {
			t.Errorf("meanwhile: %+v, %+v", live.State, live.Calls)
		}
		if o := live.State.Open; len(o) != 1 || o[0].Stage != "running" || o[0].Worker != "pod-1" || o[0].Run != "2611231200-Run2" || o[0].Memo != path("train@2", 1) || o[0].Started != 9 {
			t.Errorf("meanwhile open: %+v", o)
		}

		step(event.AttemptEnded, func(e *event.Event) { begin(2)(e); e.Wall, e.CPU, e.PeakMemory = 6*time.Second, 12*time.Second, 1<<30 })
		step(event.Ended, func(e *event.Event) {
			begin(2)(e)
			e.Outcome, e.Wall = event.Computed, 6*time.Second
		})
		b.Record("link", "https://logs/1")
		b.Record("bad", func() {})
		b.Close(1, true, "interrupted")
		b.Close(0, false, "")
		run := b.read(t)
		if len(run.Calls) != 2 || run.Ended == nil || run.Ended.Exit != 1 || !run.Ended.Cancelled || run.Ended.Error != "interrupted" || run.Root != "test://root" {
			t.Fatalf("got %+v", run)
		}
		if h := run.Calls[0]; h.Outcome != "hit" || h.Memo != path("clean@1", 2) || h.Saved == nil || h.Saved.WallSeconds != 2 || h.Saved.GPUs != 0.5 || !h.Saved.Spot || h.Run != "2611201200-OldRun" {
			t.Errorf("the hit: %+v", h)
		}
		c := run.Calls[1]
		if c.Outcome != "computed" || c.Caller != "mops1/p/all@0/x" || len(c.Joined) != 1 || c.Joined[0] != "mops1/p/other@0/x" ||
			c.Started != 9 || c.Ended != 16 || c.Run != "2611231200-Run2" || c.Worker != "pod-1" || c.Node != "node-1" || !c.Spot || c.CPUs != 4 || c.MemoryLimit != 2<<30 || c.GPUs != 1 {
			t.Errorf("the call: %+v", c)
		}
		if a := c.Attempts; len(a) != 1 || a[0].Reason != "oom" || a[0].Error != "it ran out of memory" || a[0].Run != "2611231200-Run1" || a[0].Started != 5 || a[0].Ended != 6 {
			t.Errorf("its attempts: %+v", a)
		}
		f := run.State.Functions[0]
		if f.Name != "train@2" || f.Computed != 1 || f.Calls != 1 || f.Open() != 0 || f.ComputingSeconds != 6 {
			t.Errorf("its function: %+v", f)
		}
		// Both attempts are charged: 1 s and 6 s of 4 CPUs, 2 GiB and 1 GPU.
		if u := f.Used; len(u) != 1 || u[0].Executor != "k8s" || !u[0].Spot || u[0].Runs != 2 || u[0].CPUHeld != 28 || u[0].MemoryGiBSeconds != 14 || u[0].GPUSeconds != 7 || u[0].CPUSeconds != 12 {
			t.Errorf("it used %+v", u)
		}
		if s := run.State.Functions[1].Saved; len(s) != 1 || s[0].WallSeconds != 2 || s[0].CPUHeld != 1 || s[0].MemoryGiBSeconds != 1 || s[0].GPUSeconds != 1 || !s[0].Spot {
			t.Errorf("the hit saved %+v", s)
		}
		if link := run.State.Fields["link"]; link != "https://logs/1" || !strings.Contains(fmt.Sprint(run.State.Fields["bad"]), "not recorded") {
			t.Errorf("fields: %v", run.State.Fields)
		}
	})
}

// Of a function's hits the first thousand are listed.
func TestHitsAreThinned(t *testing.T) {
	b := newBench("")
	b.In("test://root")
	for n := range 5000 {
		b.hit(uint64(n + 1))
	}
	b.Close(0, false, "")
	run := b.read(t)
	if f := run.State.Functions[0]; f.Hits != 5000 || f.Calls != 5000 || f.Listed != 1000 || f.Saved[0].WallSeconds != 10000 || len(run.Calls) != 1000 {
		t.Errorf("%d listed, %+v", len(run.Calls), f)
	}
}

// Of a long error a run has the beginning: the error's record has all of it.
func TestLongErrors(t *testing.T) {
	b := newBench("")
	b.In("test://root")
	e := at(event.Ended, 1, "f@0")
	e.Outcome, e.Err = event.Failed, errors.New(strings.Repeat("ä", 5<<20)+"\nmore")
	b.Observe(&e)
	b.Close(1, false, "")
	if run := b.read(t); len(run.Calls[0].Error) > 2000 || !strings.HasSuffix(run.Calls[0].Error, "ä…") || b.written.Load() > 10_000 {
		t.Errorf("%d bytes of an error, %d written", len(run.Calls[0].Error), b.written.Load())
	}
}

// A store that is away costs calls nothing; what does not fit is counted.
func TestStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("")
		b.fails.Store(&driver.Error{Kind: driver.Unavailable, Err: errors.New("away")})
		b.In("test://root")
		fail := func(from, to uint64) {
			for n := from; n < to; n++ {
				e := at(event.Ended, n, "f@0")
				e.Outcome, e.Err = event.Failed, errors.New("no")
				b.Observe(&e)
			}
		}
		fail(1, 1000)
		time.Sleep(time.Minute) // one segment is pending
		fail(1000, mostEnded+1500)
		b.fails.Store(nil)
		time.Sleep(time.Minute)
		fail(mostEnded+1500, mostEnded+1510)
		b.Close(0, false, "")
		run := b.read(t)
		if run.State.Dropped != 500 || run.State.Functions[0].Failed != mostEnded+1509 || len(run.Calls) != mostEnded+1009 {
			t.Errorf("%d dropped, %+v, %d listed", run.State.Dropped, run.State.Functions[0].Totals, len(run.Calls))
		}
		if said := b.log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "calls=500") {
			t.Errorf("it says:\n%s", said)
		}
	})
}

// An answer may be lost: nothing is written twice.
func TestLostAnswer(t *testing.T) {
	b := newBench("")
	store, err := b.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	w := programs.Writer{Store: store, ID: id}
	if err := w.Begin(t.Context(), b.Head); err != nil {
		t.Fatal(err)
	}
	b.fails.Store(&driver.Error{Kind: driver.Unavailable, Err: errors.New("away")})
	call := func(n int64) []byte {
		line, err := programs.Encode(nil, programs.Call{Call: n})
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	if err := w.Append(t.Context(), programs.State{At: 1}, call(1)); err == nil || !w.Behind() {
		t.Fatal(err)
	}
	b.fails.Store(nil)
	// It had arrived all the same.
	if _, err := b.store.PutBytes(t.Context(), programs.Prefix+id+"/calls-000001.jsonl", []byte(`{"at":1}`+"\n"+`{"call":1}`+"\n"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	seen := b.read(t)
	if err := w.Append(t.Context(), programs.State{At: 2}, call(2)); err != nil || w.Behind() {
		t.Fatal(err)
	}
	for _, run := range []*programs.Run{b.read(t), seen} {
		if _, err := run.Update(t.Context()); err != nil || len(run.Calls) != 2 || run.Calls[1].Call != 2 || run.State.At != 2 {
			t.Errorf("got %+v, %v", run.Calls, err)
		}
	}
}

// A short program ends while its journal still opens the root, or writes the head,
// which may arrive all the same: the run is kept whole, and nothing is said.
func TestShortProgram(t *testing.T) {
	for name, interrupt := range map[string]func(b *bench, began chan<- struct{}){
		"while the root is opened": func(b *bench, began chan<- struct{}) {
			open, tries := b.Open, 0
			b.Open = func(ctx context.Context, root string) (*blob.Store, error) {
				if tries++; tries == 1 {
					close(began)
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return open(ctx, root)
			}
		},
		"while the head is written": func(b *bench, began chan<- struct{}) {
			b.Open = func(context.Context, string) (*blob.Store, error) {
				return blob.New("test://root", &unheard{Store: b.store.Driver(), began: began}), nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, began := newBench(""), make(chan struct{})
			interrupt(b, began)
			b.In("test://root")
			b.hit(1)
			<-began
			b.Close(3, false, "")
			if run := b.read(t); run.Ended == nil || run.Ended.Exit != 3 || len(run.Calls) != 1 || run.State.Functions[0].Hits != 1 {
				t.Errorf("got %+v", run)
			}
			if said := b.log.String(); said != "" {
				t.Errorf("it says:\n%s", said)
			}
		})
	}
}

// unheard is a store that takes the first put, whose caller leaves without the answer.
type unheard struct {
	driver.Store
	once  sync.Once
	began chan<- struct{}
}

func (u *unheard) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (info driver.Info, err error) {
	info, err = u.Store.Put(ctx, key, body, size, opts)
	u.once.Do(func() {
		close(u.began)
		<-ctx.Done()
		info, err = driver.Info{}, ctx.Err()
	})
	return info, err
}

func (u *unheard) Close() error { return nil }

// A root that must not be written keeps nothing, and says so once.
func TestDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench("")
		b.fails.Store(&driver.Error{Kind: driver.Denied, Err: errors.New("no access")})
		b.In("test://root")
		for n := range 5 {
			b.hit(uint64(n + 1))
			time.Sleep(10 * time.Second)
		}
		if b.Address(t.Context()) != "" {
			t.Error("workers are told to write there")
		}
		b.Close(0, false, "")
		if said := b.log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "MOPS_RUNS=off") || b.puts.Load() != 1 {
			t.Errorf("%d puts; it says:\n%s", b.puts.Load(), said)
		}
	})
}

func TestNothingIsKept(t *testing.T) {
	b := newBench("")
	b.hit(1)
	b.In("mem://own") // nobody else can see it
	b.Close(0, false, "")
	b.In("test://root")
	b.hit(2)
	if b.puts.Load() != 0 {
		t.Errorf("%d puts", b.puts.Load())
	}
	var none *Journal
	none.In("test://root")
	none.Record("a", 1)
	none.Close(0, false, "")
	if none.Address(t.Context()) != "" {
		t.Error("an address")
	}
}

// The calls that a worker's function makes belong to the run of the program.
func TestWorker(t *testing.T) {
	b := newBench("")
	b.In("test://root")
	b.hit(1)
	if got := b.Address(t.Context()); got != b.store.Address() {
		t.Errorf("address %q", got)
	}
	of := newBench("2611231200-SkirtBus")
	of.store = b.store
	of.In("test://root")
	of.hit(1)
	of.Close(0, false, "")
	idle := newBench("2611231200-CupTree")
	idle.store = b.store
	idle.In("test://root")
	idle.Close(0, false, "")
	b.Close(0, false, "")
	run := b.read(t)
	if run.State.Functions[0].Hits != 2 || len(run.Calls) != 2 || idle.puts.Load() != 0 {
		t.Errorf("got %+v, %d puts", run.State, idle.puts.Load())
	}
}

// A long run leaves few blobs: its segments grow. What they are written for that, many
// times the calls, stays little.
func TestBlobsOfALongRun(t *testing.T) {
	for _, c := range []struct {
		took   time.Duration
		every  time.Duration // between calls
		blobs  int           // at most
		factor float64       // bytes written, by bytes kept
	}{
		{took: time.Minute, every: time.Second, blobs: 4, factor: 20},
		{took: time.Hour, every: time.Second, blobs: 10, factor: 200},
		{took: time.Hour, every: 36 * time.Millisecond, blobs: 35, factor: 20}, // 100,000 calls
		{took: 24 * time.Hour, every: 10 * time.Second, blobs: 15, factor: 500},
	} {
		t.Run(fmt.Sprint(c.took, " ", c.every), func(t *testing.T) {
			if testing.Short() && c.took/c.every > 5000 {
				t.Skip("left out with -short: very many calls")
			}
			synctest.Test(t, func(t *testing.T) {
				b := newBench("")
				b.In("test://root")
				n := uint64(0)
				for began := time.Now(); time.Since(began) < c.took; time.Sleep(c.every) {
					n++
					e := at(event.Ended, n, "f@0")
					e.Outcome, e.Err, e.Wall = event.Failed, errors.New("there is no station in Atlantis, nor in any of the other places that were asked for"), time.Second
					b.Observe(&e)
				}
				b.Close(0, false, "")
				var blobs int
				var kept int64
				for info, err := range b.store.List(t.Context(), programs.Prefix, "") {
					if err != nil {
						t.Fatal(err)
					}
					blobs++
					kept += info.Size
				}
				factor := float64(b.written.Load()) / float64(kept)
				t.Logf("%d calls: %d blobs of %d kB together, written in %d puts of %.0f times that", n, blobs, kept/1000, b.puts.Load(), factor)
				if run := b.read(t); len(run.Calls) != int(n) || run.State.Functions[0].Failed != int64(n) || run.Damaged > 0 {
					t.Errorf("%d of %d calls are listed, %+v", len(run.Calls), n, run.State)
				}
				if blobs > c.blobs || factor > c.factor {
					t.Errorf("%d blobs, written %.0f times", blobs, factor)
				}
			})
		})
	}
}
