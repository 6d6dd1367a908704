package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	quiet      = 500 * time.Millisecond // a program that ends sooner shows nothing
	frame      = 125 * time.Millisecond // between two looks at the tracker, on a terminal
	plainFrame = 500 * time.Millisecond // and elsewhere
)

// Display shows what a tracker counts until it is closed. It is safe for
// concurrent use.
//
// The cursor rests at the beginning of the block, never behind it. So what
// others print to the terminal meanwhile lands on the block and stays, instead
// of being wiped away with it, and a resized terminal needs no care. The block
// goes as soon as no call is under way.
type Display struct {
	tracker *Tracker
	screen  screen
	begin   time.Time
	stop    chan struct{}
	stopped chan struct{}
	plain   plainLines // used by the goroutine only
	closing sync.Once

	mu      sync.Mutex
	shown   string // the block on the screen, "" for none
	partial []byte // the beginning of a line that was written to Writer
	atEnd   string // a line; see AtEnd
	closed  bool
}

// Start shows on standard error what tracker counts. Close must be called.
func Start(tracker *Tracker, mode Mode) *Display {
	return start(tracker, screenOf(os.Stderr, mode, os.LookupEnv))
}

func start(tracker *Tracker, s screen) *Display {
	d := &Display{
		tracker: tracker, screen: s, begin: time.Now(),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if s.mode == Off {
		close(d.stopped)
		return d
	}
	if d.live() {
		hide := d.hide
		tracker.onIdle.Store(&hide)
	}
	go d.run()
	return d
}

func (d *Display) live() bool { return d.screen.mode == Auto }

// Color reports whether what goes through Writer may be coloured.
func (d *Display) Color() bool { return d.screen.color }

func (d *Display) run() {
	defer close(d.stopped)
	select {
	case <-d.stop:
		return
	case <-time.After(quiet):
	}
	every := plainFrame
	if d.live() {
		every = frame
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last Counts
	for {
		s := d.tracker.Snapshot()
		if d.live() {
			total := s.Total().Counts
			d.show(s, total.Outstanding() > 0 || total != last)
			last = total
		} else if text := d.plain.next(s, s.Time.Sub(d.begin)); text != "" {
			d.mu.Lock()
			d.write([]byte(text))
			d.mu.Unlock()
		}
		select {
		case <-d.stop:
			return
		case <-tick.C:
		}
	}
}

// AtEnd has Close say a line after its own, unless nothing is to be shown.
func (d *Display) AtEnd(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.atEnd = line
}

// Close ends the display and says what was done, if anything was computed or
// failed. What is written to Writer afterwards goes straight through.
func (d *Display) Close() {
	d.closing.Do(func() {
		if d.live() {
			d.tracker.onIdle.Store(nil)
		}
		close(d.stop)
		<-d.stopped
		d.finish()
	})
}

func (d *Display) finish() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.erase()
	if len(d.partial) > 0 {
		d.write(append(d.partial, '\n'))
		d.partial = nil
	}
	if s := d.tracker.Snapshot(); d.screen.mode != Off && s.Time.Sub(d.begin) >= quiet {
		if line := lastLine(s); line != "" {
			d.write([]byte(line + "\n"))
		}
	}
	if d.screen.mode != Off && d.atEnd != "" {
		d.write([]byte(d.atEnd + "\n"))
	}
}

// Writer is where logs and the lines of workers go: on a terminal they appear
// above the block. Lines appear once they are whole. What is written is not
// cleaned; see [Clean].
func (d *Display) Writer() io.Writer { return writer{d} }

type writer struct{ d *Display }

func (w writer) Write(p []byte) (int, error) {
	d := w.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live() || d.closed {
		return d.screen.out.Write(p)
	}
	d.partial = append(d.partial, p...)
	end := bytes.LastIndexByte(d.partial, '\n') + 1
	if len(d.partial)-end > maxLine { // the rest as a line of its own: memory is bounded
		d.partial = append(d.partial, '\n')
		end = len(d.partial)
	}
	if end == 0 {
		return len(p), nil
	}
	_, err := d.screen.out.Write(d.above(d.partial[:end]))
	d.partial = bytes.Clone(d.partial[end:])
	return len(p), err
}

// above is text in place of the block, and the block below it. The caller holds mu.
func (d *Display) above(text []byte) []byte {
	if d.shown == "" {
		return text
	}
	return append(append([]byte(clearBelow), text...), d.shown...)
}

func (d *Display) show(s Snapshot, busy bool) {
	var next string
	if busy {
		width, height := d.screen.size()
		next = painted(block(s, width, height, d.screen.color))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Total().Outstanding() > 0 && d.tracker.outstanding.Load() == 0 {
		next = "" // the last call has ended meanwhile, and hide was here already
	}
	switch {
	case next == d.shown:
	case next == "":
		d.erase()
	default:
		d.shown = next
		d.write([]byte(next))
	}
}

// hide takes the block away when no call is left, so that what the program
// prints next finds its place free.
func (d *Display) hide() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
}

func (d *Display) erase() {
	if d.shown != "" {
		d.shown = ""
		d.write([]byte(clearBelow))
	}
}

// write ignores failures: there is no other place to tell them, and what is
// shown must not decide over what is computed.
func (d *Display) write(text []byte) { _, _ = d.screen.out.Write(text) }

// Control sequences (ECMA-48): erase to the end of the line or of the screen,
// and the cursor up.
const (
	clearLine  = "\x1b[K"
	clearBelow = "\r\x1b[J"
)

// painted is what draws lines over those before and brings the cursor back to
// the beginning of the first one.
func painted(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	text := "\r" + strings.Join(lines, clearLine+"\n") + "\x1b[J\r"
	if up := len(lines) - 1; up > 0 {
		text += fmt.Sprintf("\x1b[%dA", up)
	}
	return text
}
