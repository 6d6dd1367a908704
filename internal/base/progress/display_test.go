package progress

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

// on runs a test with a tracker shown on a terminal, by a clock of its own.
func on(t *testing.T, width, height int, test func(tracker *Tracker, display *Display, term *terminal)) {
	synctest.Test(t, func(t *testing.T) {
		tracker, term := NewTracker(), newTerminal(t, width, height)
		display := start(tracker, term.screen(false))
		defer display.Close()
		test(tracker, display, term)
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestBlock(t *testing.T) {
	on(t, 100, 24, func(tracker *Tracker, display *Display, term *terminal) {
		tracker.Expect("forecast/train", 1000)
		for range 380 {
			hit(tracker, "forecast/train")
		}
		var running []call
		for i := range 40 {
			item := beginCall(tracker, "forecast/train", fmt.Sprintf("mem://r/forecast/train@0/amber-kite-%d.abc", i))
			item.running("run", "pod-7")
			running = append(running, item)
		}
		beginCall(tracker, "clean", "mem://r/clean@0/blue-oak-sea.def")
		pass(time.Second)
		term.expect(`
forecast/train  [=======>            ]  380/1000  1 s  40 running, 380 hits
clean           [>                   ]       0/1  1 s  1 waiting`)
		pass(9 * time.Second)
		for i, item := range running[:30] {
			if i < 2 {
				item.end(event.Failed, errors.New("boom"))
			} else {
				item.end(event.Computed, nil)
			}
		}
		pass(time.Second)
		term.expect(`
forecast/train  [========>           ]  410/1000  11 s, about 20 s left  2 failed, 10 running, 2...
clean           [>                   ]       0/1  11 s  1 waiting
oldest running: forecast/train amber-kite-30 (11 s, pod-7), forecast/train amber-kite-31 (11 s, ...`)
		for _, item := range running[30:] {
			item.end(event.Computed, nil)
		}
		display.Close()
		term.expect("mops: 421 calls: 380 hits, 38 computed, 2 failed, 1 not finished in 11 s")
	})
}

func TestQuickProgramsShowNothing(t *testing.T) {
	on(t, 80, 24, func(tracker *Tracker, display *Display, term *terminal) {
		item := beginCall(tracker, "f", "x")
		item.running("", "")
		pass(490 * time.Millisecond)
		item.end(event.Computed, nil)
		display.Close()
		if term.frames() != 0 {
			t.Errorf("wrote %q", term.bytes())
		}
	})
}

func TestHitsOnlyHaveNoLastLine(t *testing.T) {
	on(t, 80, 24, func(tracker *Tracker, display *Display, term *terminal) {
		hit(tracker, "f")
		pass(time.Minute)
		display.Close()
		term.expect("")
	})
}

func TestLogsAppearAboveTheBlock(t *testing.T) {
	on(t, 80, 6, func(tracker *Tracker, display *Display, term *terminal) {
		item := beginCall(tracker, "f", "x")
		item.running("", "")
		pass(time.Second)
		log := display.Writer()
		var want strings.Builder
		for i := range 20 { // the screen scrolls
			fmt.Fprintf(log, "line %d\n", i)
			fmt.Fprintf(&want, "line %d\n", i)
		}
		io.WriteString(log, "half")
		term.expect(want.String() + "f  [>                   ]  0/1  1 s  1 running")
		io.WriteString(log, " and half\nthe rest")
		want.WriteString("half and half\n")
		term.expect(want.String() + "f  [>                   ]  0/1  1 s  1 running")
		item.end(event.Computed, nil)
		term.expect(want.String())
		display.Close()
		term.expect(want.String() + "the rest\nmops: 1 call: 1 computed in 1 s")
		fmt.Fprint(log, "straight through")
		term.expect(want.String() + "the rest\nmops: 1 call: 1 computed in 1 s\nstraight through")
	})
}

// What the program itself prints, past the display, is on the screen as if there
// were no block: lines and parts of them, long ones that wrap, many that scroll.
func TestForeignTextIsWhole(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {20, 6}, {7, 4}} {
		on(t, size[0], size[1], func(tracker *Tracker, display *Display, term *terminal) {
			bare := newTerminal(t, size[0], size[1]) // without a block
			foreign := func(text string) {
				io.WriteString(term, text)
				io.WriteString(bare, text)
			}
			foreign("before\npart ")
			for i := range 12 {
				item := beginCall(tracker, fmt.Sprint("f", i%3), "x")
				item.running("", "")
				pass(time.Second)
				foreign(fmt.Sprintf("result %d\n", i))
				switch i % 4 {
				case 1:
					foreign("downloading")
					pass(time.Second)
					foreign(" is done")
				case 2:
					foreign(strings.Repeat("long ", 30) + "\n")
				case 3:
					foreign(strings.Repeat("scrolls\n", 40))
				}
				pass(time.Second)
				if above := newline(bare.text()); !strings.HasPrefix(newline(term.text()), above) {
					t.Fatalf("the screen shows\n%s\nand without a block\n%s", term.text(), above)
				}
				if i%5 == 4 {
					item.end(event.Computed, nil)
				} else {
					defer item.end(event.Computed, nil)
				}
			}
			display.Close()
			last := "mops: 12 calls: 2 computed, 10 not finished in 27 s"
			io.WriteString(bare, last)
			term.expect(bare.text())
		})
	}
}

func newline(text string) string { return text + "\n" }

// Whatever is left of a block in a terminal of another size goes with it.
func TestForeignTextInATerminalThatIsResized(t *testing.T) {
	on(t, 80, 24, func(tracker *Tracker, display *Display, term *terminal) {
		item := beginCall(tracker, "f", "x")
		item.running("", "")
		var want strings.Builder
		for i, size := range [][2]int{{80, 24}, {80, 10}, {60, 30}, {60, 4}, {30, 24}} {
			term.resize(size[0], size[1])
			pass(2 * frame)
			for line := range 15 {
				text := fmt.Sprintf("%d lines of %d\n", line, i)
				io.WriteString(term, text)
				want.WriteString(text)
			}
			pass(time.Second)
			if got := term.text(); !strings.HasPrefix(got, want.String()) || strings.Count(got, "1 running") != 1 {
				t.Fatalf("size %v: the screen shows\n%s\nwant\n%s", size, got, want.String())
			}
		}
		item.end(event.Computed, nil)
		term.expect(want.String())
	})
}

// Another program on the terminal sets margins of its own, as editors do.
func TestMarginsThatAreLostComeBack(t *testing.T) {
	on(t, 80, 8, func(tracker *Tracker, display *Display, term *terminal) {
		item := beginCall(tracker, "f", "x")
		item.running("", "")
		pass(time.Second)
		io.WriteString(term, allRows)
		pass(settleEvery + time.Second)
		for i := range 20 {
			fmt.Fprintln(term, "line", i)
		}
		pass(time.Second)
		if got := term.text(); strings.Count(got, "running") != 1 || strings.Count(got, "line") != 20 {
			t.Errorf("the screen shows\n%s", got)
		}
		item.end(event.Computed, nil)
	})
}

// The block goes before the last call returns, so that its result can be printed.
func TestTheBlockGoesWithTheLastCall(t *testing.T) {
	on(t, 80, 24, func(tracker *Tracker, display *Display, term *terminal) {
		for i := range 3 {
			item := beginCall(tracker, "f", "x")
			pass(time.Second)
			if !strings.Contains(term.text(), "1 waiting") {
				t.Errorf("no block:\n%s", term.text())
			}
			item.end(event.Computed, nil)
			fmt.Fprintln(term, "result", i)
		}
		pass(time.Minute)
		term.expect("result 0\nresult 1\nresult 2")
	})
}

func TestCalm(t *testing.T) {
	on(t, 80, 24, func(tracker *Tracker, display *Display, term *terminal) {
		item := beginCall(tracker, "f", "x")
		item.running("", "")
		pass(10 * time.Second)
		if frames := term.frames(); frames > 11 {
			t.Errorf("%d frames in 10 s in which only the time went on", frames)
		}
		for range 1000 {
			beginCall(tracker, "f", "x")
			pass(10 * time.Millisecond)
		}
		if frames := term.frames(); frames > 81 {
			t.Errorf("%d frames in 10 s", frames)
		}
	})
}

func TestManyFunctionsAndResizing(t *testing.T) {
	on(t, 80, 24, func(tracker *Tracker, display *Display, term *terminal) {
		for i := range 20 {
			item := beginCall(tracker, fmt.Sprintf("f%02d", i), "x")
			if i < 15 { // the first ones have ended
				item.end(event.Computed, nil)
			}
			pass(10 * time.Millisecond)
		}
		pass(time.Second)
		lines := strings.Split(term.text(), "\n")
		if len(lines) != 9 || lines[8] != "and 12 more functions" {
			t.Fatalf("got\n%s", term.text())
		}
		for i, line := range lines[:8] {
			if want := fmt.Sprintf("f%02d", 12+i); !strings.HasPrefix(line, want) {
				t.Errorf("line %d: got %q, want %s", i, line, want)
			}
		}
		for _, size := range [][2]int{{40, 5}, {10, 3}, {3, 2}, {1, 1}, {200, 50}} {
			term.resize(size[0], size[1])
			pass(time.Second)
			text := term.text()
			if lines := strings.Count(text, "\n") + 1; lines > max(size[1]/2, 1) {
				t.Errorf("%d lines on %d:\n%s", lines, size[1], text)
			}
		}
	})
}

func TestUserTextIsCleaned(t *testing.T) {
	on(t, 100, 24, func(tracker *Tracker, display *Display, term *terminal) {
		item := beginCall(tracker, "f\x1b[2J\x07", "mem://r/a\x1b[31mb.c")
		item.running("\x1b[5m", "pod\x1b[2J\t\x00x")
		pass(time.Minute)
		if text := term.text(); !strings.Contains(text, "pod \ufffdx)") {
			t.Errorf("got\n%s", text)
		}
		if raw := term.bytes(); strings.Contains(raw, "\x1b[2J") || strings.ContainsAny(raw, "\x00\x07\t") {
			t.Errorf("got %q", raw)
		}
	})
}

func TestColourIsForFailures(t *testing.T) {
	for _, color := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			tracker, term := NewTracker(), newTerminal(t, 80, 24)
			display := start(tracker, term.screen(color))
			defer display.Close()
			beginCall(tracker, "f", "x").end(event.Failed, nil)
			beginCall(tracker, "f", "x")
			pass(time.Second)
			if got := strings.Contains(term.bytes(), red+"1 failed"+plain); got != color || display.Color() != color {
				t.Errorf("color %v: got %q", color, term.bytes())
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	tracker, term := NewTracker(), newTerminal(t, 80, 24)
	display := start(tracker, term.screen(true))
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			lines := NewLines(display.Writer(), fmt.Sprint("w", w), false)
			defer lines.Close()
			for i := range 100 {
				item := beginCall(tracker, "f", "x")
				fmt.Fprintf(lines, "line %d\n", i)
				item.end(event.Computed, nil)
				// Frames come once in an eighth of a second: draw by hand.
				display.show(tracker.Snapshot(), true)
			}
		})
	}
	group.Wait()
	group.Go(display.Close)
	display.Close()
	group.Wait()
	text := term.text()
	for w := range 8 {
		for i := range 100 {
			if line := fmt.Sprintf("[w%d] line %d\n", w, i); strings.Count(text+"\n", line) != 1 {
				t.Fatalf("%q is not there once", line)
			}
		}
	}
}

func TestOffAndNothingToShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, display := range []func(*terminal) *Display{
			func(term *terminal) *Display {
				tracker := NewTracker()
				beginCall(tracker, "f", "x").end(event.Failed, nil)
				return start(tracker, screen{out: term, mode: Off})
			},
			func(term *terminal) *Display { return start(NewTracker(), term.screen(false)) },
			func(term *terminal) *Display { return start(NewTracker(), screen{out: term, mode: Plain}) },
		} {
			term := newTerminal(t, 80, 24)
			d := display(term)
			pass(time.Minute)
			io.WriteString(d.Writer(), "log\n")
			d.Close()
			term.expect("log")
		}
	})
}
