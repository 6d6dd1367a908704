package pack

import "sync"

// share hands out the calls of a list to the processes of one worker. Each worker
// of a group begins with a slice of its own, from the front. When that is done it
// helps others, from the end of their slices, so that two meet only once, in the
// middle. Whoever comes second to a call finds its lease taken.
type share struct {
	calls, workers, index int

	mu     sync.Mutex
	taken  []bool // somebody began it, or nobody wants it any more
	own    int    // the next of our own slice
	helps  int    // how many workers after us we have helped to the end
	behind int    // the next of the slice that we help with, counted from its end
}

func newShare(calls, workers, index int) *share {
	s := &share{calls: calls, workers: workers, index: index, taken: make([]bool, calls)}
	s.own, _ = s.slice(index)
	return s
}

// slice is where a worker's calls begin and end.
func (s *share) slice(worker int) (from, to int) {
	return worker * s.calls / s.workers, (worker + 1) * s.calls / s.workers
}

// next takes a call that, as far as is known here, nobody has begun.
func (s *share) next() (call int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, end := s.slice(s.index); s.own < end; {
		call, s.own = s.own, s.own+1
		if !s.taken[call] {
			s.taken[call] = true
			return call, true
		}
	}
	for s.helps < s.workers-1 {
		from, to := s.slice((s.index + 1 + s.helps) % s.workers)
		for s.behind < to-from {
			s.behind++
			if call = to - s.behind; !s.taken[call] {
				s.taken[call] = true
				return call, true
			}
		}
		s.helps, s.behind = s.helps+1, 0
	}
	return 0, false
}

// take notes that a call is not to be begun here, and reports whether it could
// have been.
func (s *share) take(call int) (open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if call < 0 || call >= s.calls {
		return false
	}
	open = !s.taken[call]
	s.taken[call] = true
	return open
}

// helping reports whether the worker has no calls of its own left.
func (s *share) helping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, end := s.slice(s.index)
	return s.own >= end
}

// isOwn reports whether a call is in the worker's own slice.
func (s *share) isOwn(call int) bool {
	from, to := s.slice(s.index)
	return call >= from && call < to
}
