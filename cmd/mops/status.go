package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/TrilliantHealth/mops-go/internal/progress"
)

const (
	statusInterval = 500 * time.Millisecond // on a terminal, where a line is written over
	statusPlain    = 10 * time.Second       // elsewhere, where lines add up
)

// status shows on standard error how far a command is, as MOPS_PROGRESS says. It
// ends with stop, which leaves a terminal as it was.
func (a *app) status(text func() string) (stop func()) {
	setting, _ := a.lookup("MOPS_PROGRESS")
	mode, err := progress.ParseMode(setting)
	if err != nil || mode == progress.Off {
		return func() {}
	}
	file, isFile := a.stderr.(*os.File)
	kind, _ := a.lookup("TERM")
	live := mode == progress.Auto && isFile && term.IsTerminal(int(file.Fd())) && kind != "" && kind != "dumb"
	interval, format := statusPlain, "mops: %s\n"
	if live {
		interval, format = statusInterval, "\r\x1b[K%s"
	}
	ended := make(chan struct{})
	var loop sync.WaitGroup
	loop.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if line := text(); line != "" {
					fmt.Fprintf(a.stderr, format, progress.Clean(line))
				}
			case <-ended:
				if live {
					fmt.Fprint(a.stderr, "\r\x1b[K")
				}
				return
			}
		}
	})
	return sync.OnceFunc(func() { close(ended); loop.Wait() })
}
