package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

const folder = "mops1/p/forecast/train@1"

// call is the place of a call of the function.
func call(store *blob.Store, input string) memo.Place {
	key := memokey.Parts{Name: "forecast/train", Version: "1", In: "in", Out: "out", Input: []byte(input)}.Key()
	return memo.Place{Store: store, Path: memokey.Path("p", "forecast/train", "1", key), Key: key}
}

func ran(seconds float64, peak int64) record.Run {
	return record.Run{Outcome: runs.OK, Executor: "k8s", OS: "linux", Arch: "arm64", WallSeconds: seconds, CPUSeconds: seconds / 2, PeakMemory: peak}
}

func putResult(t testing.TB, at memo.Place, header record.ResultHeader, body int) {
	t.Helper()
	header.MemoKey = at.Key.String()
	sealed, err := record.Seal(record.KindResult, header, make([]byte, body))
	if err != nil {
		t.Fatal(err)
	}
	put(t, at.Store, at.Path+"/result", string(sealed))
}

func put(t testing.TB, store *blob.Store, key, content string) {
	t.Helper()
	if _, err := store.PutBytes(t.Context(), key, []byte(content), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func putRun(t testing.TB, at memo.Place, id string, run record.Run) {
	t.Helper()
	if err := at.PutRun(t.Context(), record.RunHeader{Head: record.Head{MemoKey: at.Key.String(), RunID: id}, Run: run}); err != nil {
		t.Fatal(err)
	}
}

func result(run record.Run) record.ResultHeader {
	return record.ResultHeader{RunHeader: record.RunHeader{Head: record.Head{RunID: "r"}, Run: run}}
}

// What counts of the records of a call.
func TestRead(t *testing.T) {
	oom := record.Run{Outcome: runs.ExecError, Reason: executor.OOMKilled, Executor: "k8s", PeakMemory: 1 << 30, WallSeconds: 3}
	crash := record.Run{Outcome: runs.ExecError, Reason: executor.Signalled}
	good := executor.Past{Executor: "k8s", Platform: "linux/arm64", Wall: 2 * time.Second, CPU: time.Second, PeakMemory: 1 << 20}
	less := func(change func(*executor.Past)) *executor.Past { p := good; change(&p); return &p }
	for name, c := range map[string]struct {
		put  func(t *testing.T, at memo.Place)
		want *executor.Past
	}{
		"a result":      {func(t *testing.T, at memo.Place) { putResult(t, at, result(ran(2, 1<<20)), 10) }, &good},
		"a long result": {func(t *testing.T, at memo.Place) { putResult(t, at, result(ran(2, 1<<20)), 1<<20) }, &good},
		"injected": {func(t *testing.T, at memo.Place) {
			header := result(ran(2, 1<<20))
			header.Injected = true
			putResult(t, at, header, 10)
		}, nil},
		"no run":  {func(t *testing.T, at memo.Place) { putResult(t, at, result(record.Run{}), 10) }, nil},
		"damaged": {func(t *testing.T, at memo.Place) { put(t, at.Store, at.Path+"/result", "mops1 resu") }, nil},
		"of another call": {func(t *testing.T, at memo.Place) {
			header := result(ran(2, 1<<20))
			header.MemoKey = strings.Repeat("0", 64)
			sealed, err := record.Seal(record.KindResult, header, nil)
			if err != nil {
				t.Fatal(err)
			}
			put(t, at.Store, at.Path+"/result", string(sealed))
		}, nil},
		"another format": {func(t *testing.T, at memo.Place) { put(t, at.Store, at.Path+"/result", "mops2 result 0 0\n{}\n") }, nil},
		"negative": {func(t *testing.T, at memo.Place) { putResult(t, at, result(ran(-2, -1)), 0) },
			less(func(p *executor.Past) { p.Wall, p.CPU, p.PeakMemory = 0, 0, 0 })},
		"absurd": {func(t *testing.T, at memo.Place) { putResult(t, at, result(ran(1e300, 1<<62)), 0) },
			less(func(p *executor.Past) { p.Wall, p.CPU, p.PeakMemory = 0, 0, 0 })},
		"out of memory":                {func(t *testing.T, at memo.Place) { putRun(t, at, "a", oom) }, &executor.Past{Executor: "k8s", Wall: 3 * time.Second, PeakMemory: 1 << 30, Reason: executor.OOMKilled}},
		"out of memory, then a result": {func(t *testing.T, at memo.Place) { putRun(t, at, "a", oom); putResult(t, at, result(ran(2, 1<<20)), 0) }, &good},
		"a crash":                      {func(t *testing.T, at memo.Place) { putRun(t, at, "a", crash) }, nil},
		"failed": {func(t *testing.T, at memo.Place) {
			putRun(t, at, "a", record.Run{Outcome: runs.FuncError, WallSeconds: 1})
		}, nil},
		"a broken record": {func(t *testing.T, at memo.Place) { put(t, at.Store, at.Path+"/runs/a.json", "{") }, nil},
		"nothing yet":     {func(t *testing.T, at memo.Place) { put(t, at.Store, at.Path+"/lease", "x") }, nil},
		"no call": {func(t *testing.T, at memo.Place) {
			put(t, at.Store, folder+"/strange/result", "x")
			put(t, at.Store, folder+"/stray", "x")
		}, nil},
		"files before the result": {func(t *testing.T, at memo.Place) {
			for i := range 3 * mostOfCall {
				put(t, at.Store, fmt.Sprintf("%s/out/r/%d", at.Path, i), "x")
			}
			putResult(t, at, result(ran(2, 1<<20)), 0)
		}, &good},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // no reading takes longer than Read has
				store := blob.New("mem://test", memblob.New())
				c.put(t, call(store, "in"))
				got, err := Read(t.Context(), store, folder)
				if err != nil || len(got) > 1 || (len(got) == 1) != (c.want != nil) || c.want != nil && got[0] != *c.want {
					t.Errorf("%+v, %v; want %+v", got, err, c.want)
				}
			})
		})
	}
}

// Of many calls, a bounded list shows some, and the latest of these are read.
func TestReadBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, counter := blobcount.New(blob.New("mem://test", memblob.New()))
		for i := range mostListed/2 + 1000 {
			at := call(store, fmt.Sprint(i))
			put(t, store, at.Path+"/invocation", "x")
			putResult(t, at, result(ran(float64(i+1), 1)), 0)
			time.Sleep(time.Millisecond) // so that the latest are known
		}
		before := counter.Counts()
		runs, err := Read(t.Context(), store, folder)
		after := counter.Counts()
		if err != nil || len(runs) != Most {
			t.Fatalf("%d runs, %v", len(runs), err)
		}
		for i := range runs {
			if i > 0 && runs[i].Wall < runs[i-1].Wall {
				t.Fatalf("run %d took %v, the one before it %v: they are not in order", i, runs[i].Wall, runs[i-1].Wall)
			}
		}
		if got := after.Total() - before.Total(); got > Most+1 {
			t.Errorf("%d requests, want one list and a read for each", got)
		}
		if least := mostListed / 2 / 2; runs[0].Wall < time.Duration(least)*time.Second {
			t.Errorf("the oldest of them took %v: not the latest were taken", runs[0].Wall)
		}
	})
}

// slow is a store whose lists take their time, or fail.
type slow struct {
	driver.Store
	list  time.Duration // for each blob
	lists atomic.Int32
	fail  error
}

func (s *slow) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		s.lists.Add(1)
		if s.fail != nil {
			yield(driver.Info{}, s.fail)
			return
		}
		for info, err := range s.Store.List(ctx, prefix, startAt) {
			select {
			case <-time.After(s.list):
			case <-ctx.Done():
				yield(driver.Info{}, ctx.Err())
				return
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

func (s *slow) Stat(ctx context.Context, key string) (driver.Info, error) {
	return s.Store.Stat(ctx, key)
}

// A slow store takes no more than its time, and what came until then counts.
func TestReadTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Store: memblob.New(), list: 10 * time.Millisecond}
		store := blob.New("mem://test", d)
		for i := range 1000 {
			putResult(t, call(store, fmt.Sprint(i)), result(ran(1, 1)), 0)
		}
		began := time.Now()
		runs, err := Read(t.Context(), store, folder)
		if took := time.Since(began); err != nil || len(runs) != Most || took > readTime {
			t.Errorf("%d runs in %v, %v", len(runs), took, err)
		}
		d.list = time.Hour
		began = time.Now()
		runs, err = Read(t.Context(), store, folder)
		if took := time.Since(began); err == nil || len(runs) > 0 || took > readTime {
			t.Errorf("%d runs in %v, %v", len(runs), took, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Read(ctx, store, folder); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// All calls of a process share one look at the store, and know of each other.
func TestBook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Store: memblob.New(), list: 100 * time.Millisecond}
		store := blob.New("mem://test", d)
		putResult(t, call(store, "1"), result(ran(1, 1)), 0)
		book := Book{Log: slog.New(slog.DiscardHandler)}
		if book.Asked(store, folder) {
			t.Error("nobody has asked yet")
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if runs, err := book.Of(t.Context(), store, folder); err != nil || len(runs) != 1 {
					t.Errorf("%+v, %v", runs, err)
				}
			})
		}
		all.Wait()
		if n := d.lists.Load(); n != 1 || !book.Asked(store, folder) || book.Asked(store, folder+"0") {
			t.Errorf("the store was listed %d times", n)
		}
		for i := range 5 * Most {
			book.Add(store, folder, ran(float64(i), 1))
		}
		book.Add(store, folder, record.Run{Outcome: runs.FuncError})
		runs, err := book.Of(t.Context(), store, folder)
		if err != nil || len(runs) != Most || runs[Most-1].Wall != (5*Most-1)*time.Second || runs[0].Wall != 4*Most*time.Second {
			t.Errorf("%d runs, %v", len(runs), err)
		}

		putResult(t, call(store, "2"), result(ran(2, 1)), 0)
		time.Sleep(goodFor)
		late := make(chan int)
		go func() { // while one asks the store again, the others do not wait
			synctest.Wait()
			began := time.Now()
			runs, _ := book.Of(t.Context(), store, folder)
			if time.Since(began) > 0 {
				t.Error("it waited")
			}
			late <- len(runs)
		}()
		go func() {
			runs, _ := book.Of(t.Context(), store, folder)
			late <- len(runs)
		}()
		if first, second := <-late, <-late; first != Most || second != 2 || d.lists.Load() != 2 {
			t.Errorf("%d and %d runs, after %d lists", first, second, d.lists.Load())
		}
	})
}

// A store that fails is not asked by each call, and what was known stays.
func TestBookOfAFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Store: memblob.New(), fail: &driver.Error{Kind: driver.Denied, Err: errors.New("you may not list")}}
		store := blob.New("mem://test", d)
		putResult(t, call(store, "1"), result(ran(1, 1)), 0)
		var logged strings.Builder
		book := Book{Log: slog.New(slog.NewTextHandler(&logged, nil))}
		for range 3 {
			if _, err := book.Of(t.Context(), store, folder); !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), folder) {
				t.Error(err)
			}
		}
		if n := d.lists.Load(); n != 1 || strings.Count(logged.String(), "you may not list") != 1 {
			t.Errorf("it was asked %d times: %s", n, &logged)
		}
		d.fail = nil
		time.Sleep(badFor)
		if runs, err := book.Of(t.Context(), store, folder); err != nil || len(runs) != 1 {
			t.Errorf("%+v, %v", runs, err)
		}
		d.fail = errors.New("away")
		time.Sleep(goodFor)
		if runs, err := book.Of(t.Context(), store, folder); err != nil || len(runs) != 1 {
			t.Errorf("%+v, %v", runs, err)
		}
	})
}

// A caller that leaves while it reads leaves the question to the next.
func TestBookLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{Store: memblob.New(), list: time.Second}
		store := blob.New("mem://test", d)
		putResult(t, call(store, "1"), result(ran(1, 1)), 0)
		book := Book{Log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := book.Of(ctx, store, folder)
			left <- err
		}()
		synctest.Wait()
		answer := make(chan int)
		go func() {
			runs, err := book.Of(t.Context(), store, folder)
			if err != nil {
				t.Error(err)
			}
			answer <- len(runs)
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n := <-answer; n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}
