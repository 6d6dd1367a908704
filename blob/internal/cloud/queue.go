package cloud

import (
	"net/http"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// mostAtOnce is how many requests to one host wait for its answer at one moment.
// It keeps ten thousand calls side by side from opening as many connections: a
// process has some thousand file descriptors, and a service slows down who comes
// with more. At 20 ms it makes 12,800 requests a second.
const mostAtOnce = 256

// queues are where requests wait for their turn, by host, for the whole process.
var queues sync.Map

// enter waits for the turn of a request, which ends with its answer: what is read
// after that keeps nobody waiting, so it may take as long as it likes. Who is in
// a hurry need not wait, such as a session that has to be renewed in time.
func enter(r *http.Request) (leave func(), err error) {
	ctx := r.Context()
	if driver.IsUrgent(ctx) {
		return func() {}, nil
	}
	found, ok := queues.Load(r.URL.Host)
	if !ok {
		found, _ = queues.LoadOrStore(r.URL.Host, semaphore.NewWeighted(mostAtOnce))
	}
	queue := found.(*semaphore.Weighted)
	if err := queue.Acquire(ctx, 1); err != nil {
		if r.Body != nil {
			r.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	return func() { queue.Release(1) }, nil
}
