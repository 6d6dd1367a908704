package progress

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

func TestCounts(t *testing.T) {
	tracker := NewTracker()
	tracker.Expect("a", 10)
	for range 3 {
		hit(tracker, "a")
	}
	computed := beginCall(tracker, "a", "mem://r/a/one.1")
	computed.running("run1", "here")
	computed.end(event.Computed, nil)
	awaited := beginCall(tracker, "a", "mem://r/a/two.2")
	awaited.awaiting()
	awaited.end(event.Awaited, nil)
	hit(tracker, "a")
	beginCall(tracker, "a", "x").end(event.Cancelled, nil)
	beginCall(tracker, "a", "x").end(event.Failed, errors.New("boom\nmore"))
	beginCall(tracker, "a", "x")
	beginCall(tracker, "a", "x").running("run2", "there")
	elsewhere := beginCall(tracker, "b", "y")
	elsewhere.running("run3", "pod")
	elsewhere.awaiting()

	s := tracker.Snapshot()
	want := []Counts{
		{Expected: 10, Started: 10, Hits: 4, Computed: 1, Awaited: 1, Failed: 1, Cancelled: 1, Running: 1, Waiting: 1},
		{Started: 1, Awaiting: 1},
	}
	if len(s.Functions) != 2 || s.Functions[0].Counts != want[0] || s.Functions[1].Counts != want[1] {
		t.Fatalf("got  %+v\nwant %+v", s.Functions, want)
	}
	if a := s.Functions[0]; a.Done() != 8 || a.Outstanding() != 2 || a.Total() != 10 || a.Name != "a" {
		t.Errorf("done %d, outstanding %d, total %d", a.Done(), a.Outstanding(), a.Total())
	}
	if total := s.Total(); total.Counts != want[0].Plus(want[1]) || total.Started != 11 {
		t.Errorf("total %+v", total)
	}
	if len(s.Oldest) != 1 || s.Oldest[0].RunID != "run2" || s.Oldest[0].Where != "there" {
		t.Errorf("oldest %+v", s.Oldest)
	}
	if len(s.Failures) != 1 || s.Failures[0].Error != "boom" || s.Failures[0].Outcome != event.Failed {
		t.Errorf("failures %+v", s.Failures)
	}
	tracker.Expect("a", -100)
	if n := tracker.Snapshot().Functions[0].Expected; n != 0 {
		t.Errorf("expected %d", n)
	}
}

func TestEndIsFinal(t *testing.T) {
	tracker := NewTracker()
	item := beginCall(tracker, "a", "x")
	item.end(event.Computed, nil)
	item.running("late", "")
	item.waiting()
	want := Counts{Started: 1, Computed: 1}
	if s := tracker.Snapshot(); s.Total().Counts != want || len(s.Failures) != 0 || len(s.Oldest) != 0 {
		t.Errorf("got %+v", s)
	}
	if n := tracker.outstanding.Load(); n != 0 {
		t.Errorf("%d outstanding", n)
	}
}

// A call that fails before it is computed has one event.
func TestEndAlone(t *testing.T) {
	tracker := NewTracker()
	tracker.Observe(&event.Event{Kind: event.Ended, Time: time.Now(), Call: 1, Function: "a@0", MemoURI: "x", Outcome: event.Failed, Err: errors.New("no result")})
	want := Counts{Started: 1, Failed: 1}
	if s := tracker.Snapshot(); s.Total().Counts != want || len(s.Failures) != 1 || s.Failures[0].Error != "no result" {
		t.Errorf("got %+v", s)
	}
	if n := tracker.outstanding.Load(); n != 0 {
		t.Errorf("%d outstanding", n)
	}
}

func TestOldestLongestAndTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := NewTracker()
		begin := time.Now()
		var items []call
		for i := range 15 {
			item := beginCall(tracker, []string{"a", "b"}[i%2], fmt.Sprint(i))
			item.running("", "")
			items = append(items, item)
			time.Sleep(time.Second)
		}
		// One that gave its slot back and runs again is as old as it was.
		items[2].waiting()
		if oldest := tracker.Snapshot().Oldest; oldest[2].MemoURI != "3" {
			t.Errorf("a call that waits is shown as running: %+v", oldest)
		}
		items[2].running("", "")
		for i, r := range tracker.Snapshot().Oldest {
			if want := begin.Add(time.Duration(i) * time.Second); r.MemoURI != fmt.Sprint(i) || !r.Since.Equal(want) {
				t.Errorf("oldest %d: %+v", i, r)
			}
		}
		for _, item := range items { // the first has run for 15 s, the last for 1 s
			item.end(event.Computed, nil)
		}
		s := tracker.Snapshot()
		if len(s.Oldest) != 0 || len(s.Longest) != maxLongest {
			t.Fatalf("oldest %v, longest %v", s.Oldest, s.Longest)
		}
		for i, e := range s.Longest {
			if e.Took != time.Duration(15-i)*time.Second || e.MemoURI != fmt.Sprint(i) {
				t.Errorf("longest %d: %+v", i, e)
			}
		}
		a := s.Functions[0] // 15, 13, 11, … 1 s
		if a.Computing != 64*time.Second || a.Longest != 15*time.Second {
			t.Errorf("got %+v", a)
		}
		if !a.First.Equal(begin) || !a.LastEnd.Equal(begin.Add(15*time.Second)) {
			t.Errorf("first %v, last end %v", a.First, a.LastEnd)
		}
	})
}

// The numbers add up whoever counts at the same time.
func TestConcurrentCounting(t *testing.T) {
	const workers, each = 16, 300
	tracker := NewTracker()
	stop := make(chan struct{})
	var reader, group sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for _, f := range tracker.Snapshot().Functions { // each of them at a moment of its own
					if f.Outstanding() > workers {
						t.Errorf("%s has %d outstanding", f.Name, f.Outstanding())
					}
				}
			}
		}
	})
	for w := range workers {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprint("f", i%5)
				hit(tracker, name)
				item := beginCall(tracker, name, "x")
				item.running("r", "w")
				if w%2 == 0 {
					item.waiting()
					item.running("r", "w")
				}
				item.end([]event.Outcome{event.Computed, event.Failed, event.Cancelled, event.Awaited}[i%4], errors.New("e"))
			}
		})
	}
	group.Wait()
	close(stop)
	reader.Wait()
	s := tracker.Snapshot()
	n := int64(workers * each)
	want := Counts{Started: 2 * n, Hits: n, Computed: n / 4, Failed: n / 4, Cancelled: n / 4, Awaited: n / 4}
	if got := s.Total().Counts; got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(s.Functions) != 5 || len(s.Oldest) != 0 || len(s.Failures) != maxFailures {
		t.Errorf("%d functions, %d running, %d failures", len(s.Functions), len(s.Oldest), len(s.Failures))
	}
}

func TestHitAllocatesNothing(t *testing.T) {
	tracker := NewTracker()
	e := event.Event{Kind: event.Ended, Call: 1, Function: "forecast/train@0", Outcome: event.Hit}
	if n := testing.AllocsPerRun(1000, func() { tracker.Observe(&e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A hundred thousand calls under way cost some bytes each, and no time to look at.
func TestManyOutstanding(t *testing.T) {
	tracker := NewTracker()
	const n = 100_000
	for range n {
		beginCall(tracker, "a", "mem://root/mops1/p/a@0/x").running("run", "here")
	}
	if size := reflect.TypeFor[item]().Size(); size > 160 {
		t.Errorf("an item has %d bytes", size)
	}
	const most = 50 * time.Millisecond
	var s Snapshot
	best := time.Hour // of some: others may be at work on this machine
	for tries := 0; tries < 100 && best > most; tries++ {
		begin := time.Now()
		s = tracker.Snapshot()
		best = min(best, time.Since(begin))
	}
	if best > most {
		t.Errorf("a snapshot takes %v", best)
	}
	if s.Total().Running != n || len(s.Oldest) != maxOldest {
		t.Errorf("got %+v", s)
	}
}

func BenchmarkHit(b *testing.B) {
	tracker := NewTracker()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			hit(tracker, "forecast/train")
		}
	})
}

func BenchmarkMiss(b *testing.B) {
	tracker := NewTracker()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			item := beginCall(tracker, "forecast/train", "x")
			item.running("run", "here")
			item.end(event.Computed, nil)
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	tracker := NewTracker()
	for range 100_000 {
		beginCall(tracker, "a", "x").running("run", "here")
	}
	for b.Loop() {
		tracker.Snapshot()
	}
}
