package cloud

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// buffers are those of all uploads of the process. At most memory bytes are in
// use; idle are no more than were in use at once, and none when the last upload
// has ended. A sync.Pool would have one more idle for each processor.
type buffers struct {
	budget *semaphore.Weighted

	mu      sync.Mutex
	uploads int
	idle    [][]byte // of PartSize
}

var pool = buffers{budget: semaphore.NewWeighted(memory)}

// begin counts an upload in, until done is called.
func (b *buffers) begin() (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uploads++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.uploads--; b.uploads == 0 {
			b.idle = nil
		}
	}
}

// take waits for a buffer.
func (b *buffers) take(ctx context.Context, length int64) ([]byte, error) {
	if err := b.budget.Acquire(ctx, length); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := len(b.idle) - 1; last >= 0 && length == PartSize {
		buffer := b.idle[last]
		b.idle = b.idle[:last]
		return buffer, nil
	}
	return make([]byte, length), nil
}

func (b *buffers) giveBack(buffer []byte) {
	b.mu.Lock()
	if len(buffer) == PartSize {
		b.idle = append(b.idle, buffer)
	}
	b.mu.Unlock()
	b.budget.Release(int64(len(buffer)))
}
