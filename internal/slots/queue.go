package slots

// waiter is who waits for a slot: about 170 bytes with its channel, beside the
// goroutine that waits here, if it is in this process and one does.
type waiter struct {
	prev, next *waiter
	queue      *queue // nil once it waits no more
	holder     string
	ready      chan struct{} // of a goroutine in this process
	err        error         // to be read after ready
	done       func(error)   // in place of a goroutine
	from       *session      // of another process, which is sent an answer
	id         uint64
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

// queue is a list of waiters, the first to come at its head, any of which can
// leave.
type queue struct {
	first, last *waiter
}

func (q *queue) push(w *waiter) {
	w.queue, w.prev = q, q.last
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
}

func (q *queue) remove(w *waiter) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queue, w.prev, w.next = nil, nil, nil
}
