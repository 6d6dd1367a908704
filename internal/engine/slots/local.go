package slots

import (
	"cmp"
	"container/list"
	"context"
	"sync"
)

// local is a pool in this process. Whoever finds a slot free takes it; nobody
// waits while one is free.
type local struct {
	mu      sync.Mutex
	limit   int
	used    int // more than limit only after a loss; see lost in client.go
	holders map[string]holder
	resumes list.List // of waiters; they go first
	begins  list.List
}

// holder is what the pool knows of a run.
type holder struct {
	running bool
	pauses  int32
	waiting *waiter  // in one of the queues
	owner   *session // the connection that acquired, with which the holder goes; nil: this process
	id      uint64   // of the request that acquired
}

func newLocal(n int) *local { return &local{limit: n, holders: map[string]holder{}} }

func (p *local) Acquire(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w, err := p.acquire(name, nil, 0)
	if w == nil {
		return err
	}
	return p.wait(ctx, w)
}

func (p *local) Resume(ctx context.Context, name string) error {
	// Unlike Acquire it counts, whatever the context says.
	if w, _ := p.resume(name, nil, 0); w != nil {
		return p.wait(ctx, w)
	}
	return nil
}

func (p *local) wait(ctx context.Context, w *waiter) error {
	select {
	case <-w.ready:
	case <-ctx.Done():
		if p.withdraw(w) {
			return ctx.Err()
		}
		<-w.ready // it came at the same time
	}
	return w.err
}

// Enqueue is Acquire without a goroutine that waits; see Queue.
func (p *local) Enqueue(name string, done func(error)) (got bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.take(&p.begins, name, holder{}, nil, 0)
	if w == nil {
		return true
	}
	w.done = done
	return false
}

// Withdraw takes a holder out of the queue; see Queue.
func (p *local) Withdraw(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.holders[name]; h.waiting != nil && h.waiting.queue == &p.begins {
		w := h.waiting
		p.leave(w)
		w.wake(ErrReleased)
	}
}

// acquire takes a slot or returns who waits for one. from is the connection that
// asks, and id its request; nil if this process asks.
func (p *local) acquire(name string, from *session, id uint64) (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, held := p.holders[name]; held {
		return nil, ErrHeld
	}
	return p.take(&p.begins, name, holder{owner: from, id: id}, from, id).waits(), nil
}

// resume undoes one pause. A holder that still waits for another call needs no
// slot, though one of its goroutines runs: with the slot it could wait for a
// call that waits for this very slot.
func (p *local) resume(name string, from *session, id uint64) (*waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, known := p.holders[name]
	if !known {
		return nil, errUnknown
	}
	if h.pauses > 0 {
		h.pauses--
	}
	if h.pauses > 0 || h.running || h.waiting != nil {
		p.holders[name] = h
		return nil, nil
	}
	return p.take(&p.resumes, name, h, from, id).waits(), nil
}

func (p *local) Pause(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, known := p.holders[name]
	if !known {
		return
	}
	h.pauses++
	w := h.waiting
	resuming := w != nil && w.queue == &p.resumes
	freed := h.running
	h.running = false
	if resuming { // it waits for another call again, and needs no slot until then
		w.remove()
		h.waiting = nil
	}
	p.holders[name] = h
	if resuming {
		w.wake(nil)
	}
	if freed {
		p.free()
	}
}

func (p *local) Release(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(name)
}

// take takes a slot for the holder or queues it.
func (p *local) take(q *list.List, name string, h holder, from *session, id uint64) *waiter {
	if p.used < p.limit {
		p.used++
		h.running = true
		p.holders[name] = h
		return nil
	}
	w := &waiter{holder: name, from: from, id: id}
	w.push(q)
	h.waiting = w
	p.holders[name] = h
	return w
}

// drop forgets a holder and gives its slot to the next.
func (p *local) drop(name string) {
	h, known := p.holders[name]
	if !known {
		return
	}
	delete(p.holders, name)
	if h.waiting != nil {
		h.waiting.remove()
		h.waiting.wake(ErrReleased)
	}
	if h.running {
		p.free()
	}
}

// free gives back one slot, to those who wait.
func (p *local) free() {
	p.used--
	for p.used < p.limit {
		next := cmp.Or(p.resumes.Front(), p.begins.Front())
		if next == nil {
			return
		}
		w := next.Value.(*waiter)
		w.remove()
		h := p.holders[w.holder]
		h.running, h.waiting = true, nil
		p.holders[w.holder] = h
		p.used++
		w.wake(nil)
	}
}

// withdraw ends the waiting; false if it had ended before.
func (p *local) withdraw(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.queue == nil {
		return false
	}
	p.leave(w)
	return true
}

// leave takes a waiter out of its queue. Who only wanted to begin is forgotten,
// who wanted to resume remains a holder without a slot.
func (p *local) leave(w *waiter) {
	begins := w.queue == &p.begins
	w.remove()
	if begins {
		delete(p.holders, w.holder)
		return
	}
	h := p.holders[w.holder]
	h.waiting = nil
	p.holders[w.holder] = h
}

// waiter is who waits for a slot: some 200 bytes with its place in the queue and
// its channel, beside the goroutine that waits here, if it is in this process and
// one does.
type waiter struct {
	queue  *list.List // nil once it waits no more
	place  *list.Element
	holder string
	ready  chan struct{} // of a goroutine in this process
	err    error         // to be read after ready
	done   func(error)   // in place of a goroutine
	from   *session      // of another process, which is sent an answer
	id     uint64
}

// push puts the waiter at the end of a queue.
func (w *waiter) push(q *list.List) { w.queue, w.place = q, q.PushBack(w) }

// remove takes the waiter out of its queue.
func (w *waiter) remove() {
	w.queue.Remove(w.place)
	w.queue, w.place = nil, nil
}

// waits makes the channel for a goroutine that waits, if there is anything to
// wait for.
func (w *waiter) waits() *waiter {
	if w != nil && w.from == nil {
		w.ready = make(chan struct{})
	}
	return w
}

// wake tells the waiter the outcome. It never blocks.
func (w *waiter) wake(err error) {
	switch {
	case w.from != nil:
		w.from.answer(w.id, err)
	case w.done != nil:
		w.done(err)
	default:
		w.err = err
		close(w.ready)
	}
}
