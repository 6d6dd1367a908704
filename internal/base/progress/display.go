package progress

import (
	"bytes"
	"io"
	"os"
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
// On a terminal, the program and its functions print meanwhile without knowing of
// it: see [painter]. The block goes as soon as no call is under way, and while the
// shell has the program in the background.
type Display struct {
	tracker *Tracker
	screen  screen
	begin   time.Time
	stop    chan struct{}
	stopped chan struct{}
	plain   plainLines // used by the goroutine only
	closing sync.Once

	mu      sync.Mutex
	block   painter
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
	var signals <-chan os.Signal
	if d.live() {
		every = frame
		signals = d.screen.tty.signals()
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
			d.write(text)
			d.mu.Unlock()
		}
		select {
		case <-d.stop:
			return
		case s := <-signals:
			d.screen.tty.heed(s, d.hide, d.stop)
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
	d.free()
	d.screen.tty.close()
	if len(d.partial) > 0 {
		d.write(string(d.partial) + "\n")
		d.partial = nil
	}
	if s := d.tracker.Snapshot(); d.screen.mode != Off && s.Time.Sub(d.begin) >= quiet {
		if line := lastLine(s); line != "" {
			d.write(line + "\n")
		}
	}
	if d.screen.mode != Off && d.atEnd != "" {
		d.write(d.atEnd + "\n")
	}
}

// Writer is where logs and the lines of workers go. On a terminal, lines appear once
// they are whole. What is written is not cleaned; see [Clean].
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
	_, err := d.screen.out.Write(d.partial[:end])
	d.partial = bytes.Clone(d.partial[end:])
	return len(p), err
}

func (d *Display) show(s Snapshot, busy bool) {
	width, height, known := d.screen.size()
	var lines []string
	if busy && known && d.screen.tty.foreground() {
		lines = block(s, width, mostRows(height), d.screen.color)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Total().Outstanding() > 0 && d.tracker.outstanding.Load() == 0 {
		lines = nil // the last call has ended meanwhile, and hide was here already
	}
	if len(lines) == 0 || d.block.shown == nil && d.screen.tty.take() != nil {
		d.free()
		return
	}
	d.write(d.block.draw(lines, width, height, s.Time))
}

// hide takes the block away when no call is left.
func (d *Display) hide() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free()
}

// free takes the block away. The caller holds mu.
func (d *Display) free() {
	if text := d.block.free(); text != "" {
		d.write(text)
		d.screen.tty.give()
	}
}

// write ignores failures: there is no other place to tell them, and what is
// shown must not decide over what is computed.
func (d *Display) write(text string) {
	if text != "" {
		_, _ = io.WriteString(d.screen.out, text)
	}
}
