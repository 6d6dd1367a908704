//go:build linux || darwin

package agent

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/far"
)

// recentBytes is how much of the output is kept for who joins late.
const recentBytes = 64 << 10

// hub tells all who are connected how the worker goes.
type hub struct {
	stopper stopper

	mu      sync.Mutex
	members []*member
	total   int64  // bytes of output so far
	recent  []byte // the last of them
	ended   *far.Exit
}

// member is one who is connected.
type member struct {
	reports chan far.Report
	gone    chan struct{} // closed when it has left, or says nothing any more
	leave   func()
	told    chan struct{} // closed when nothing is written to it any more
}

// log takes output. A member that does not take it holds the worker up, as a full
// pipe would, until it is given up.
func (h *hub) log(chunk []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total += int64(len(chunk))
	h.recent = append(h.recent, chunk...)
	if over := len(h.recent) - recentBytes; over > recentBytes { // now and then, not each time
		h.recent = append(h.recent[:0], h.recent[over:]...)
	}
	h.tell(far.Report{Log: append([]byte(nil), chunk...)})
}

func (h *hub) tell(r far.Report) {
	for _, m := range h.members {
		select {
		case m.reports <- r:
		case <-m.gone:
		}
	}
}

// join adds a member, which has had so much of the output.
func (h *hub) join(in io.Reader, out io.Writer, had int64) {
	m := &member{reports: make(chan far.Report, 64), gone: make(chan struct{}), told: make(chan struct{})}
	m.leave = sync.OnceFunc(func() { close(m.gone) })
	go m.write(out)
	go m.read(in, &h.stopper)
	h.mu.Lock()
	defer h.mu.Unlock()
	m.reports <- far.Report{Started: true}
	if missed := min(h.total-had, int64(len(h.recent))); missed > 0 {
		m.reports <- far.Report{Log: append([]byte(nil), h.recent[int64(len(h.recent))-missed:]...)}
	}
	h.members = append(h.members, m)
	if h.ended != nil {
		m.reports <- far.Report{Exit: h.ended}
		close(m.reports)
	}
}

// lastTime is how long the last report may take.
const lastTime = 10 * time.Second

// end tells how the worker ended, and waits until all know it.
func (h *hub) end(exit *far.Exit) {
	h.mu.Lock()
	h.ended = exit
	h.tell(far.Report{Exit: exit})
	members := h.members
	for _, m := range members {
		close(m.reports)
	}
	h.mu.Unlock()
	last := time.After(lastTime)
	for _, m := range members {
		select {
		case <-m.told:
		case <-m.gone:
		case <-last:
			return
		}
	}
}

// write writes reports, and beats where there are none.
func (m *member) write(out io.Writer) {
	defer close(m.told)
	to := json.NewEncoder(out)
	beats := time.NewTicker(far.BeatEvery)
	defer beats.Stop()
	for {
		var report far.Report
		more := true
		select {
		case report, more = <-m.reports:
		case <-beats.C:
		case <-m.gone:
			return
		}
		if !more {
			return
		}
		if to.Encode(report) != nil {
			m.leave()
			return
		}
	}
}

// read heeds requests until the member leaves, or is silent for too long.
func (m *member) read(in io.Reader, s *stopper) {
	defer m.leave()
	silent := time.AfterFunc(far.Silence, m.leave)
	defer silent.Stop()
	for from := json.NewDecoder(in); ; silent.Reset(far.Silence) {
		var asked far.Request
		if from.Decode(&asked) != nil || asked.Leave {
			return
		}
		if asked.Stop || asked.Kill {
			s.stop(asked.Kill)
		}
	}
}
