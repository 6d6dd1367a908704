//go:build linux || darwin

package agent

import (
	"encoding/json"
	"io"
	"slices"
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
	lost    bool          // the last who went did not say so, and may come back
	heard   chan struct{} // closed when somebody has heard of the end
}

func newHub() *hub { return &hub{heard: make(chan struct{})} }

// member is one who is connected.
type member struct {
	reports chan far.Report
	gone    chan struct{} // closed when it has left, or says nothing any more
	part    sync.Once
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
	m := &member{reports: make(chan far.Report, 64), gone: make(chan struct{})}
	go h.write(m, out)
	go h.read(m, in)
	h.mu.Lock()
	defer h.mu.Unlock()
	m.reports <- far.Report{Started: true}
	if missed := min(h.total-had, int64(len(h.recent))); missed > 0 {
		m.reports <- far.Report{Log: append([]byte(nil), h.recent[int64(len(h.recent))-missed:]...)}
	}
	h.members, h.lost = append(h.members, m), false
	if h.ended != nil {
		m.reports <- far.Report{Exit: h.ended}
	}
}

// leave notes that a member is gone; said says that it meant to.
func (h *hub) leave(m *member, said bool) {
	m.part.Do(func() {
		close(m.gone) // first: tell may wait for it
		h.mu.Lock()
		defer h.mu.Unlock()
		h.members = slices.DeleteFunc(slices.Clone(h.members), func(other *member) bool { return other == m })
		h.lost = !said && len(h.members) == 0
		if said && h.ended != nil {
			select {
			case <-h.heard:
			default:
				close(h.heard)
			}
		}
	})
}

// linger is how long one who was lost may come back, to hear of the end.
const linger = 30 * time.Second

// end tells how the worker ended. It returns when all know, or when nobody comes any
// more who wants to.
func (h *hub) end(exit *far.Exit) {
	h.mu.Lock()
	h.ended = exit
	h.tell(far.Report{Exit: exit})
	members := h.members
	h.mu.Unlock()
	for _, m := range members {
		<-m.gone // when it says so, or is silent
	}
	h.mu.Lock()
	wanted := h.lost || len(h.members) > 0
	h.mu.Unlock()
	if !wanted {
		return
	}
	select {
	case <-h.heard:
	case <-time.After(linger):
	}
}

// write writes reports, and beats where there are none.
func (h *hub) write(m *member, out io.Writer) {
	to := json.NewEncoder(out)
	beats := time.NewTicker(far.BeatEvery)
	defer beats.Stop()
	for {
		var report far.Report
		select {
		case report = <-m.reports:
		case <-beats.C:
		case <-m.gone:
			return
		}
		if to.Encode(report) != nil {
			h.leave(m, false)
			return
		}
	}
}

// read heeds requests until the member leaves, or is silent for too long.
func (h *hub) read(m *member, in io.Reader) {
	silent := time.AfterFunc(far.Silence, func() { h.leave(m, false) })
	defer silent.Stop()
	for from := json.NewDecoder(in); ; silent.Reset(far.Silence) {
		var asked far.Request
		if err := from.Decode(&asked); err != nil || asked.Leave {
			h.leave(m, asked.Leave)
			return
		}
		if asked.Stop || asked.Kill {
			h.stopper.stop(asked.Kill)
		}
	}
}
