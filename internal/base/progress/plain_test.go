package progress

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncbuf.Buffer
		tracker := NewTracker()
		display := start(tracker, screen{out: &out, mode: Plain})
		begin := time.Now()
		at := func(d time.Duration) { pass(time.Until(begin.Add(d))) }
		expect := func(want string) {
			t.Helper()
			if got := out.Take(); got != strings.TrimLeft(want, "\n") {
				t.Errorf("after %v got\n%swant%s", time.Since(begin), got, want)
			}
		}
		tracker.Expect("forecast/train", 1000)
		for range 900 {
			hit(tracker, "forecast/train")
		}
		var items []call
		for range 100 {
			item := beginCall(tracker, "forecast/train", "mem://r/forecast/train@0/amber-kite-river.abc")
			item.running("run", "pod-7")
			items = append(items, item)
		}
		at(4 * time.Second)
		expect("")
		items[0].end(event.Failed, errors.New("boom \x1b[2J\nand more"))
		items[1].end(event.Failed, errors.New("boom too"))
		at(4500 * time.Millisecond)
		expect(`
mops: forecast/train amber-kite-river failed: boom
`)
		at(6 * time.Second)
		expect(`
mops: forecast/train 902/1000: 2 failed, 98 running, 900 hits; 5 s
`)
		at(11 * time.Second)
		items[2].end(event.Computed, nil)
		expect(`
mops: forecast/train 902/1000: 2 failed, 98 running, 900 hits; 10 s
mops: oldest running: forecast/train amber-kite-river (10 s, pod-7), forecast/train amber-kite-river (10 s, pod-7), forecast/train amber-kite-river (10 s, pod-7)
`)
		at(29 * time.Second)
		out.Take()
		at(10 * time.Minute)
		said := out.Take()
		if times := strings.Count(said, "mops: forecast/train"); times < 10 || times > 12 {
			t.Errorf("%d lines in ten minutes, want one each 30 s to 5 min, then one each 5 min:\n%s", times, said)
		}
		at(70 * time.Minute)
		if times := strings.Count(out.Take(), "mops: forecast/train"); times != 12 {
			t.Errorf("%d lines in the next hour", times)
		}
		for _, item := range items[3:] {
			item.end(event.Computed, nil)
		}
		at(80 * time.Minute)
		expect(`
mops: forecast/train 1000/1000: 2 failed, 98 computed, 900 hits; 1h10m
`)
		at(2 * time.Hour)
		expect("")
		display.Close()
		expect(`
mops: 1000 calls: 900 hits, 98 computed, 2 failed in 2h00m
`)
	})
}

func TestPlainHasNoControlCharacters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncbuf.Buffer
		tracker := NewTracker()
		display := start(tracker, screen{out: &out, mode: Plain})
		beginCall(tracker, "f\x1b[2J", "m\x07.x").end(event.Failed, errors.New("\x1b]0;x\x07"+strings.Repeat("boom\x00", 1000)))
		beginCall(tracker, "f\x1b[2J", "m\x07.x").running("\r", "\x1b[1m\n")
		pass(time.Hour)
		display.Close()
		text := out.Take()
		if text == "" || len(text) > 10_000 {
			t.Errorf("%d bytes", len(text))
		}
		for line := range strings.Lines(text) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl) {
				t.Errorf("%q", line)
			}
		}
	})
}

// What is queued says why, as long as it is known and something is queued.
func TestWhyQueued(t *testing.T) {
	tracker := NewTracker()
	item, other := beginCall(tracker, "f", "mem://r/f@0/a.b"), beginCall(tracker, "f", "mem://r/f@0/c.d")
	line := func() string { return strings.Join(waitLines(tracker.Snapshot()), "\n") }
	item.tell(event.Stage, event.Event{Stage: executor.Pending, Why: "not yet"})
	if line() != "" {
		t.Errorf("%q of a call that is not queued", line())
	}
	for _, i := range []call{item, other} {
		i.stage("queued")
	}
	if item.why("1 more\x1b[2J needed"); !strings.HasPrefix(line(), "queued: 1 more") || strings.Contains(line(), "\x1b") {
		t.Errorf("%q", line())
	}
	if lines := block(tracker.Snapshot(), 80, 24, false); !strings.Contains(strings.Join(lines, "\n"), "\nqueued: 1 more") {
		t.Errorf("%q", lines)
	}
	if item.stage("running"); line() == "" {
		t.Error("the other one is queued")
	}
	if other.stage("pending"); line() != "" {
		t.Errorf("%q of nobody", line())
	}
}

// A call that waits says for what, as long as one does.
func TestWhatIsWaitedFor(t *testing.T) {
	tracker := NewTracker()
	first, second := beginCall(tracker, "f", "mem://r/f@0/a.b"), beginCall(tracker, "f", "mem://r/f@0/c.d")
	lines := func() string { return strings.Join(waitLines(tracker.Snapshot()), "\n") }
	if lines() != "" {
		t.Errorf("%q of calls that were only made", lines())
	}
	first.tell(event.Waiting, event.Event{Wait: event.ForSlot, For: "inproc", Why: "for a slot: all 2 slots are taken"})
	second.tell(event.Waiting, event.Event{Wait: event.ForLease, For: "run 26-A on host\x07"})
	if want := "waiting: for a slot: all 2 slots are taken\nelsewhere: run 26-A on host\ufffd"; lines() != want {
		t.Errorf("got %q, want %q", lines(), want)
	}
	first.tell(event.Waiting, event.Event{Wait: event.ForRetry})
	if !strings.HasPrefix(lines(), "waiting: before another try\n") {
		t.Errorf("got %q of a call that waits for another try", lines())
	}
	first.running("r", "")
	second.end(event.Awaited, nil)
	if lines() != "" {
		t.Errorf("%q of nobody", lines())
	}
}
