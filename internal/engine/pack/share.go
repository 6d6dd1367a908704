package pack

import (
	"math/rand/v2"
	"sync"
)

// share hands out the calls of a list to the processes of one worker. Each worker
// of a group begins with a slice of its own. When that is done it helps others, in
// an order of its own, so that helpers of one worker do not march in step.
// Whoever comes second to a call finds its lease taken.
type share struct {
	calls, workers, index int

	mu     sync.Mutex
	taken  []bool // somebody began it, or nobody wants it any more
	own    int    // the next of our own slice
	others []int  // the workers left to help
	extra  []int  // the calls left of the one that is helped now
}

func newShare(calls, workers, index int) *share {
	s := &share{calls: calls, workers: workers, index: index, taken: make([]bool, calls)}
	s.own, _ = s.slice(index)
	for _, worker := range rand.Perm(workers) {
		if worker != index {
			s.others = append(s.others, worker)
		}
	}
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
	for len(s.extra) > 0 || len(s.others) > 0 {
		if len(s.extra) == 0 {
			from, to := s.slice(s.others[0])
			s.others = s.others[1:]
			for _, i := range rand.Perm(to - from) {
				s.extra = append(s.extra, from+i)
			}
			continue
		}
		call, s.extra = s.extra[0], s.extra[1:]
		if !s.taken[call] {
			s.taken[call] = true
			return call, true
		}
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

// helping reports whether the worker's own calls are done, and others' may not be.
func (s *share) helping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, end := s.slice(s.index)
	return s.own >= end && len(s.extra)+len(s.others) > 0
}
