package lease

import "sync"

// mostWaits bounds the hint in a session's blob.
const mostWaits = 64

// waits are the calls of this process that wait for calls of others.
type waits struct {
	mu   sync.Mutex
	seen map[Wait]int
	news chan struct{} // has room for one
}

// Waits notes that call cannot go on before the other call is done, until the
// returned function is called. The next renewal writes the note, and others
// find it there (Judge.Waits). It is only a hint: if there are many, some are
// left out.
func (s *Session) Waits(call, other string) (done func()) {
	w, wait := &s.waits, Wait{Call: call, For: other}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen == nil {
		w.seen = make(map[Wait]int)
	}
	w.seen[wait]++
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.seen[wait]--; w.seen[wait] == 0 {
			delete(w.seen, wait)
		}
	})
}

// Announce makes the next renewal come soon, so that others see new notes, and
// the end of old ones, without delay.
func (s *Session) Announce() {
	select {
	case s.waits.news <- struct{}{}:
	default:
	}
}

func (w *waits) list() []Wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Wait
	for wait := range w.seen {
		if len(list) == mostWaits {
			break
		}
		list = append(list, wait)
	}
	return list
}
