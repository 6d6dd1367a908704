package source

import (
	"context"
	"sync"

	"github.com/TrilliantHealth/mops-go/blob"
)

// turns lets one goroutine at a time work on one thing, so that others find it
// done instead of doing it again.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the turn ends
}

// take waits for the turn; the caller ends it with done.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		wait, taken := t.busy[name]
		if !taken {
			if t.busy == nil {
				t.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			t.busy[name] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, name)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// slots bounds how many pieces of one kind of work go on side by side.
type slots chan struct{}

// take waits for a slot, which done gives back. While a store's operation under
// the returned context waits for another try, somebody else may use the slot.
func (s slots) take(ctx context.Context) (holding context.Context, done func(), err error) {
	h := &hold{slots: s}
	if err := h.enter(ctx); err != nil {
		return nil, nil, err
	}
	return blob.WhileWaiting(ctx, h.leave), h.done, nil
}

// hold is a taken slot.
type hold struct {
	slots slots

	mu      sync.Mutex
	held    bool
	waiting int // number of operations under it that wait
}

func (h *hold) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		h.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hold) leave() (back func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting++
	h.giveBack()
	return h.back
}

func (h *hold) back(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting--
	if h.waiting > 0 || h.held {
		return nil
	}
	return h.enter(ctx)
}

func (h *hold) done() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.giveBack()
}

func (h *hold) giveBack() {
	if h.held {
		<-h.slots
		h.held = false
	}
}
