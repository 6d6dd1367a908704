package progress

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCounts(t *testing.T) {
	tracker := NewTracker()
	tracker.Expect("a", 10)
	for range 3 {
		tracker.Hit("a")
	}
	computed := tracker.Begin("a", "mem://r/a/one.1")
	computed.Running("run1", "here")
	computed.End(Computed, nil)
	awaited := tracker.Begin("a", "mem://r/a/two.2")
	awaited.Awaiting()
	awaited.End(Awaited, nil)
	tracker.Begin("a", "x").End(Hit, nil)
	tracker.Begin("a", "x").End(Cancelled, nil)
	tracker.Begin("a", "x").End(Failed, errors.New("boom\nmore"))
	tracker.Begin("a", "x")
	tracker.Begin("a", "x").Running("run2", "there")
	elsewhere := tracker.Begin("b", "y")
	elsewhere.Running("run3", "pod")
	elsewhere.Awaiting()

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
	if len(s.Failures) != 1 || s.Failures[0].Error != "boom" || s.Failures[0].Outcome != Failed {
		t.Errorf("failures %+v", s.Failures)
	}
	tracker.Expect("a", -100)
	if n := tracker.Snapshot().Functions[0].Expected; n != 0 {
		t.Errorf("expected %d", n)
	}
}

func TestEndIsFinal(t *testing.T) {
	tracker := NewTracker()
	item := tracker.Begin("a", "x")
	item.End(Computed, nil)
	item.End(Failed, errors.New("late"))
	item.Running("late", "")
	item.Waiting()
	want := Counts{Started: 1, Computed: 1}
	if s := tracker.Snapshot(); s.Total().Counts != want || len(s.Failures) != 0 || len(s.Oldest) != 0 {
		t.Errorf("got %+v", s)
	}
	if n := tracker.outstanding.Load(); n != 0 {
		t.Errorf("%d outstanding", n)
	}
}

func TestNilCountsNothing(t *testing.T) {
	var tracker *Tracker
	tracker.Expect("a", 1)
	tracker.Hit("a")
	item := tracker.Begin("a", "x")
	item.Waiting()
	item.Awaiting()
	item.Running("r", "w")
	item.End(Computed, nil)
	if s := tracker.Snapshot(); len(s.Functions) != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestOldestLongestAndTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := NewTracker()
		begin := time.Now()
		var items []*Item
		for i := range 15 {
			item := tracker.Begin([]string{"a", "b"}[i%2], fmt.Sprint(i))
			item.Running("", "")
			items = append(items, item)
			time.Sleep(time.Second)
		}
		// One that gave its slot back and runs again is as old as it was.
		items[2].Waiting()
		if oldest := tracker.Snapshot().Oldest; oldest[2].MemoURI != "3" {
			t.Errorf("a call that waits is shown as running: %+v", oldest)
		}
		items[2].Running("", "")
		for i, r := range tracker.Snapshot().Oldest {
			if want := begin.Add(time.Duration(i) * time.Second); r.MemoURI != fmt.Sprint(i) || !r.Since.Equal(want) {
				t.Errorf("oldest %d: %+v", i, r)
			}
		}
		for _, item := range items { // the first has run for 15 s, the last for 1 s
			item.End(Computed, nil)
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
				if total := tracker.Snapshot().Total(); total.Outstanding() > workers {
					t.Errorf("%d outstanding", total.Outstanding())
				}
			}
		}
	})
	for w := range workers {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprint("f", i%5)
				tracker.Hit(name)
				item := tracker.Begin(name, "x")
				item.Running("r", "w")
				if w%2 == 0 {
					item.Waiting()
					item.Running("r", "w")
				}
				item.End([]Outcome{Computed, Failed, Cancelled, Awaited}[i%4], errors.New("e"))
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
	if n := testing.AllocsPerRun(1000, func() { tracker.Hit("forecast/train") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A hundred thousand calls under way cost some bytes each, and no time to look at.
func TestManyOutstanding(t *testing.T) {
	tracker := NewTracker()
	const n = 100_000
	for range n {
		tracker.Begin("a", "mem://root/mops1/p/a@0/x").Running("run", "here")
	}
	if size := reflect.TypeFor[Item]().Size(); size > 160 {
		t.Errorf("an item has %d bytes", size)
	}
	begin := time.Now()
	s := tracker.Snapshot()
	if took := time.Since(begin); took > 50*time.Millisecond {
		t.Errorf("a snapshot took %v", took)
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
			tracker.Hit("forecast/train")
		}
	})
}

func BenchmarkMiss(b *testing.B) {
	tracker := NewTracker()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			item := tracker.Begin("forecast/train", "x")
			item.Running("run", "here")
			item.End(Computed, nil)
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	tracker := NewTracker()
	for range 100_000 {
		tracker.Begin("a", "x").Running("run", "here")
	}
	for b.Loop() {
		tracker.Snapshot()
	}
}
