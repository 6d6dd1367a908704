package k8s

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// writes bounds how many requests of this process that create and delete are under
// way at once. It starts as a careful client would and asks for more while the API
// server answers; when the server throttles, as many as it took are too many, and
// growth is slow from then on. A refused request keeps its place while it waits, so
// the bound is also that of requests per Retry-After.
type writes struct {
	mu       sync.Mutex
	bound    int
	busy     int
	queue    []chan struct{} // of those who wait for a place, first come first served
	answered int             // since the bound last grew
	narrowed time.Time       // zero: never
}

const (
	writesAtFirst = 32
	writesAtMost  = 256 // API servers take some hundreds at once from all their clients
	writesAtLeast = 4

	// narrowAgainIn is how long one halving counts for all that is refused.
	narrowAgainIn = time.Second
)

// enter returns when there is a place; leave gives it back.
func (w *writes) enter(ctx context.Context) error {
	w.mu.Lock()
	if w.busy < w.bound && len(w.queue) == 0 {
		w.busy++
		w.mu.Unlock()
		return nil
	}
	place := make(chan struct{})
	w.queue = append(w.queue, place)
	w.mu.Unlock()
	select {
	case <-place:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, other := range w.queue {
		if other == place {
			w.queue = append(w.queue[:i:i], w.queue[i+1:]...)
			return ctx.Err()
		}
	}
	w.busy-- // it got the place meanwhile
	w.admit()
	return ctx.Err()
}

func (w *writes) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.admit()
}

// admit lets as many in as there are places. The caller holds mu.
func (w *writes) admit() {
	for w.busy < w.bound && len(w.queue) > 0 {
		close(w.queue[0])
		w.queue = w.queue[1:]
		w.busy++
	}
}

// saw heeds the status of an answer to a request that creates or deletes.
func (w *writes) saw(status int, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if status == http.StatusTooManyRequests {
		if now.Sub(w.narrowed) >= narrowAgainIn {
			w.bound, w.answered, w.narrowed = max(w.bound/2, writesAtLeast), 0, now
		}
		return
	}
	w.answered++
	if w.bound < writesAtMost && (w.narrowed.IsZero() || w.answered >= w.bound) {
		w.bound++
		w.answered = 0
		w.admit()
	}
}

// watched is a transport that tells writes of all answers: client-go hides the first
// ten refusals of a request.
type watched struct {
	through http.RoundTripper
	writes  *writes
}

func (t watched) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.through.RoundTrip(r)
	if err == nil && (r.Method == http.MethodPost || r.Method == http.MethodDelete) {
		t.writes.saw(answer.StatusCode, time.Now())
	}
	return answer, err
}

// WrappedRoundTripper is how client-go finds what is below.
func (t watched) WrappedRoundTripper() http.RoundTripper { return t.through }
