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
// returned function is called. The note is written with the next renewal, where
// others find it (Judge.Waits). It is a hint, and of many only some are written.
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

// Announce lets the next renewal come soon, so that others see without delay
// what was noted, or is noted no more.
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
