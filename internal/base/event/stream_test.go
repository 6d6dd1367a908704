package event

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

func withLog() (*slog.Logger, *syncbuf.Buffer) {
	var logged syncbuf.Buffer
	return slog.New(slog.NewTextHandler(&logged, nil)), &logged
}

// A slow observer gets all events in order, and whoever sends never waits for it.
func TestQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logged := withLog()
		var s Stream
		var direct, got []uint64
		s.Direct(func(e *Event) { direct = append(direct, e.Call) })
		s.Queued(func(e Event) {
			time.Sleep(time.Millisecond)
			got = append(got, e.Call)
		}, log)
		begun := time.Now()
		for i := range uint64(3000) {
			s.Send(context.Background(), &Event{Call: i})
		}
		if len(direct) != 3000 || !time.Now().Equal(begun) {
			t.Errorf("%d events after %v", len(direct), time.Since(begun))
		}
		s.Close()
		for i, call := range got {
			if call != uint64(i) {
				t.Fatalf("event %d is of call %d", i, call)
			}
		}
		if len(got) != 3000 || logged.String() != "" {
			t.Errorf("%d events; %s", len(got), logged)
		}
		s.Send(context.Background(), &Event{}) // too late
		if len(got) != 3000 {
			t.Error("an event after the end")
		}
	})
}

// An event comes within 10 ms, and at once where there was none for a while.
func TestQueuedComesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _ := withLog()
		var s Stream
		var mu sync.Mutex
		var came []time.Duration
		s.Queued(func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			came = append(came, time.Since(e.Time))
		}, log)
		for _, pause := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, time.Hour, 3 * time.Second} {
			time.Sleep(pause)
			s.Send(context.Background(), &Event{Time: time.Now()})
		}
		s.Close()
		if len(came) != 5 {
			t.Fatal(came)
		}
		for i, after := range came {
			if after > lookEvery || i == 3 && after > 0 {
				t.Errorf("event %d comes after %v", i, after)
			}
		}
	})
}

// What one observer does harms no other: it may never return, panic, or end its
// goroutine.
func TestBadObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, logged := withLog()
		var s Stream
		const n = 25_000
		stuck := make(chan struct{})
		var panics, exits, missed, slow uint64
		s.Queued(func(Event) { <-stuck }, log)
		s.Queued(func(Event) { panics++; panic("boom") }, log)
		s.Queued(func(Event) { exits++; runtime.Goexit() }, log)
		s.Queued(func(e Event) {
			if slow++; slow == 1 {
				time.Sleep(time.Second)
			}
			missed += e.Missed
		}, log)
		for i := range n {
			s.Send(context.Background(), &Event{Call: uint64(i)})
			if i%1000 == 0 {
				time.Sleep(lookEvery)
			}
		}
		time.Sleep(2 * time.Second)
		s.Send(context.Background(), &Event{Call: n})
		synctest.Wait()
		begun := time.Now()
		s.Close()
		if took := time.Since(begun); took != drainTime {
			t.Errorf("closed after %v", took)
		}
		if panics != n+1 || exits != n+1 {
			t.Errorf("%d and %d events, want %d", panics, exits, n+1)
		}
		if missed == 0 || slow+missed != n+1 {
			t.Errorf("%d events, and %d are said to be missed, of %d", slow, missed, n+1)
		}
		text := logged.String()
		if strings.Count(text, "boom") != 1 || strings.Count(text, "missed=") != 2 || !strings.Contains(text, "missed=25000") {
			t.Error(text)
		}
		close(stuck)
	})
}

// A stream that nobody made, and one without observers, take events.
func TestNobodyObserves(t *testing.T) {
	var none *Stream
	none.Send(context.Background(), &Event{})
	none.Close()
	var s Stream
	s.Send(context.Background(), &Event{})
	s.Close()
}

func BenchmarkSend(b *testing.B) {
	log, _ := withLog()
	var s Stream
	var n int
	s.Queued(func(Event) { n++ }, log)
	b.ReportAllocs()
	for b.Loop() {
		s.Send(context.Background(), &Event{Kind: Ended})
	}
	s.Close()
}
