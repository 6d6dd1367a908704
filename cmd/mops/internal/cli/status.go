package cli

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/progress"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

const (
	statusInterval = 500 * time.Millisecond // on a terminal, where a line is written over
	statusPlain    = 10 * time.Second       // elsewhere, where lines add up
)

// Status shows on standard error how far a command is.
type Status struct {
	a     *App
	text  func() string
	live  bool
	ended chan struct{}
	loop  sync.WaitGroup

	mu    sync.Mutex // of the terminal
	shown bool
}

// Status begins to show a text, as MOPS_PROGRESS says. Stop ends it.
func (a *App) Status(text func() string) *Status {
	s := &Status{a: a, text: text, ended: make(chan struct{})}
	setting, _ := a.Lookup("MOPS_PROGRESS")
	mode, err := progress.ParseMode(setting)
	if err != nil || mode == progress.Off {
		return s
	}
	file, isFile := a.Stderr.(*os.File)
	s.live = mode == progress.Auto && isFile && progress.IsTerminal(file, a.Lookup)
	s.loop.Go(s.run)
	return s
}

func (s *Status) run() {
	interval := statusPlain
	if s.live {
		interval = statusInterval
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.show()
		case <-s.ended:
			return
		}
	}
}

func (s *Status) show() {
	line := text.Clean(s.text())
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case line == "":
	case s.live:
		fmt.Fprint(s.a.Stderr, "\r\x1b[K"+line)
		s.shown = true
	default:
		fmt.Fprintf(s.a.Stderr, "mops: %s\n", line)
	}
}

// Aside takes the text from the terminal while something else is written to it.
func (s *Status) Aside(write func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown {
		fmt.Fprint(s.a.Stderr, "\r\x1b[K")
		s.shown = false
	}
	write()
}

// Stop leaves the terminal as it was.
func (s *Status) Stop() {
	close(s.ended)
	s.loop.Wait()
	s.Aside(func() {})
}
