package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// However many requests are made side by side, the host sees a bounded number of
// them at once. A request in a hurry does not wait, nor does the reading of an answer.
func TestQueue(t *testing.T) {
	var now, most atomic.Int32
	full, gate := make(chan struct{}), make(chan struct{})
	isFull := sync.OnceFunc(func() { close(full) }) // when the gate is open, it may be full again
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/urgent" {
			return
		}
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == mostAtOnce {
			isFull()
		}
		<-gate
		io.WriteString(w, "answer")
	}))
	defer server.Close()
	transport := &Transport{}
	ask := func(ctx context.Context, path string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader("body"))
		if err != nil {
			return nil, err
		}
		return transport.RoundTrip(r)
	}
	const requests = 2*mostAtOnce + 7
	var running sync.WaitGroup
	for range requests {
		running.Go(func() {
			response, err := ask(t.Context(), "/")
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { response.Body.Close() }) // read by nobody until all have their answers
		})
	}
	<-full
	response, err := ask(driver.Urgent(t.Context()), "/urgent")
	if err != nil {
		t.Error(err)
	} else {
		response.Body.Close()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(ended, "/"); !errors.Is(err, context.Canceled) {
		t.Errorf("who left the queue got %v", err)
	}
	close(gate)
	running.Wait()
	if most.Load() != mostAtOnce {
		t.Errorf("%d requests were there at once, and %d should be", most.Load(), mostAtOnce)
	}
}
