package progress

import (
	"testing"
	"time"
)

func TestLabel(t *testing.T) {
	for _, test := range [][3]string{
		{"forecast/train", "file:///r/mops1/p/forecast/train@0/amber-kite-river.a1b2c3", "forecast/train amber-kite-river"},
		{"f", "amber-kite-river.x", "f amber-kite-river"},
		{"f", "", "f"},
		{"f", "mem://r/", "f"},
		{"f\x1b[2J", "a\x07.b", "f a\ufffd"},
	} {
		if got := Label(test[0], test[1]); got != test[2] {
			t.Errorf("%q %q: got %q", test[0], test[1], got)
		}
	}
}

// The estimate takes the hits of a warm start for what they are.
func TestLeft(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 12, 0, 0, time.UTC)
	began := func(ago time.Duration) Function {
		return Function{firstMiss: now.Add(-ago), LastEnd: now}
	}
	all := began(100 * time.Second) // all started, most of them hits: 100 of 10,000 misses took 100 s
	all.Counts = Counts{Started: 100_000, Hits: 90_000, Computed: 100, Running: 10, Waiting: 9_890}
	if left, ok := all.left(now); !ok || left != 9_900*time.Second {
		t.Errorf("all started: %v, %v", left, ok)
	}
	some := began(100 * time.Second) // every other a hit: 400 of the 800 left will be too
	some.Counts = Counts{Expected: 1000, Started: 210, Hits: 105, Computed: 100, Running: 5}
	if left, ok := some.left(now); !ok || left != 400*time.Second {
		t.Errorf("some started: %v, %v", left, ok)
	}
	if left, ok := some.left(now.Add(10 * time.Second)); !ok || left != 390*time.Second {
		t.Errorf("ten seconds later: %v, %v", left, ok)
	}
	if left, ok := some.left(now.Add(time.Hour)); ok {
		t.Errorf("long past its estimate: %v", left)
	}
	young := began(time.Second)
	young.Counts = some.Counts
	if left, ok := young.left(now); ok {
		t.Errorf("after a second: %v", left)
	}
}

// Where the pace so far says nothing about the rest, there is no estimate.
func TestNoEstimate(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 12, 0, 0, time.UTC)
	even := func() Function { // 100 calls took a second each, ten run since half a second
		f := Function{firstMiss: now.Add(-100 * time.Second), LastEnd: now, Computing: 100 * time.Second, Longest: time.Second, oldest: now.Add(-time.Second / 2)}
		f.Counts = Counts{Started: 200, Computed: 100, Running: 10, Waiting: 90}
		return f
	}
	if left, ok := even().left(now); !ok || left != 100*time.Second {
		t.Errorf("even: %v, %v", left, ok)
	}
	for name, change := range map[string]func(f *Function){
		"one took very long":       func(f *Function) { f.Longest = 50 * time.Second },
		"one runs for very long":   func(f *Function) { f.oldest = now.Add(-time.Minute) },
		"all wait for the cluster": func(f *Function) { f.Running, f.Pending, f.oldest = 0, 10, time.Time{} },
		"all wait for their turn":  func(f *Function) { f.Running, f.Queued, f.oldest = 0, 10, time.Time{} },
	} {
		f := even()
		change(&f)
		if left, ok := f.left(now); ok {
			t.Errorf("%s: %v", name, left)
		}
	}
}
