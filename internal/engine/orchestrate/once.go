package orchestrate

import (
	"context"
	"sync"

	"github.com/TrilliantHealth/mops-go/executor"
)

// onlyOnce is the work of an invocation, safe from an executor that calls it
// twice or late.
type onlyOnce struct {
	work     func(context.Context) int
	returned chan struct{} // closed when the work has returned, or never will run

	mu      sync.Mutex
	began   bool
	refused bool
	stop    context.CancelFunc // ends the context of the running work
}

// run does the work the first time, unless it was refused.
func (o *onlyOnce) run(ctx context.Context) int {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o.mu.Lock()
	if o.began || o.refused {
		o.mu.Unlock()
		return executor.ExitFailed
	}
	o.began, o.stop = true, stop
	o.mu.Unlock()
	defer close(o.returned) // also if the work ends its goroutine
	return o.work(ctx)
}

// refuse keeps the work from beginning.
func (o *onlyOnce) refuse() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.began && !o.refused {
		o.refused = true
		close(o.returned)
	}
}

// cancel ends the context of the work. If it has not begun, it never will.
func (o *onlyOnce) cancel() {
	o.refuse()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop != nil {
		o.stop()
	}
}

func (o *onlyOnce) called() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.began
}

// ended waits until the work has returned, if it has begun. It returns false if
// ctx ends first.
func (o *onlyOnce) ended(ctx context.Context) bool {
	o.refuse()
	select {
	case <-o.returned:
		return true
	default:
	}
	select {
	case <-o.returned:
		return true
	case <-ctx.Done():
		return false
	}
}

// onlyWhile hands on what is printed, one chunk at a time, until it ends.
type onlyWhile struct {
	mu   sync.Mutex
	take func(chunk []byte)
}

func (o *onlyWhile) write(chunk []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.take != nil {
		o.take(chunk)
	}
}

func (o *onlyWhile) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.take = nil
}
