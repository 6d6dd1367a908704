package pack

import "testing"

// Whatever a worker knows of the others, it comes to every call once.
func TestShareComesToEveryCall(t *testing.T) {
	for _, c := range []struct{ calls, workers int }{{1, 1}, {7, 1}, {7, 3}, {100, 7}, {3, 5}} {
		for index := range c.workers {
			s := newShare(c.calls, c.workers, index)
			seen := map[int]int{}
			for call, ok := s.next(); ok; call, ok = s.next() {
				seen[call]++
			}
			if len(seen) != c.calls {
				t.Errorf("worker %d of %d came to %d of %d calls", index, c.workers, len(seen), c.calls)
			}
			for call, times := range seen {
				if times != 1 {
					t.Errorf("worker %d came to call %d %d times", index, call, times)
				}
			}
		}
	}
}

// Workers that know what others had begun a little before seldom meet, even if
// most of them help a slow one.
func TestShareMeetsSeldom(t *testing.T) {
	const calls, workers, lag = 1000, 4, 3
	var all [workers]*share
	for i := range all {
		all[i] = newShare(calls, workers, i)
	}
	begun, meetings := map[int]bool{}, 0
	var rounds [][]int
	for idle := 0; idle < 20; {
		var news []int
		for i, s := range all {
			if i == 0 && len(rounds)%10 != 0 {
				continue // the slow one
			}
			if call, ok := s.next(); ok {
				if begun[call] {
					meetings++
				}
				begun[call] = true
				news = append(news, call)
			}
		}
		if idle++; len(news) > 0 {
			idle = 0
		}
		rounds = append(rounds, news)
		if known := len(rounds) - lag; known >= 0 {
			for _, s := range all {
				for _, call := range rounds[known] {
					s.take(call)
				}
			}
		}
	}
	if len(begun) != calls {
		t.Errorf("%d of %d calls were begun", len(begun), calls)
	}
	if meetings > calls/10 {
		t.Errorf("workers met %d times", meetings)
	}
}

func TestShareOfWhatNobodyWants(t *testing.T) {
	s := newShare(3, 1, 0)
	for call, open := range map[int]bool{1: true, -1: false, 3: false} {
		if s.take(call) != open {
			t.Errorf("take(%d) is not %t", call, open)
		}
	}
	if s.take(1) {
		t.Error("call 1 was open twice")
	}
	for _, want := range []int{0, 2} {
		if got, ok := s.next(); got != want || !ok {
			t.Errorf("next is %d, %t, want %d", got, ok, want)
		}
	}
}
