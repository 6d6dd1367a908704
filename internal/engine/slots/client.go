package slots

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Client is a pool of another process. When that process ends, the client goes
// on with a pool of its own, of the same size: a worker that lost its
// orchestrator must not hang.
type Client struct {
	conn    net.Conn
	out     *outbox
	done    chan struct{} // closed when the connection has ended
	running sync.WaitGroup
	limit   int

	mu      sync.Mutex
	closed  bool
	holders map[string]holder // what this process holds, in case the server is lost
	own     *local            // once the server is lost
	pending map[uint64]*request
	lastID  uint64
}

var _ Pool = (*Client)(nil)

var errLost = errors.New("slots: the server is lost")

// Dial connects to a pool of a Server, which gets n slots, at least one, if it is
// new there. When it fails the server is gone, and a pool of this process's own
// is the way on.
func Dial(path, name string, n int) (*Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("slots: connect to the process that has the slots: %w", err)
	}
	c := &Client{
		conn: conn, out: newOutbox(), done: make(chan struct{}), limit: n,
		holders: map[string]holder{}, pending: map[uint64]*request{},
	}
	c.out.add(message{Op: opOpen, Name: name, Slots: n})
	c.running.Go(c.receive)
	c.running.Go(func() { c.out.send(conn, c.done) })
	return c, nil
}

// Close gives back all that this process acquired. Who still waits gets ErrClosed.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.conn.Close()
	c.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil // it was lost before
	}
	return err
}

// receive takes answers until the connection ends.
func (c *Client) receive() {
	defer close(c.done)
	defer c.conn.Close()
	receive(c.conn, func(m message) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r, ok := c.pending[m.ID]; ok { // else it was cancelled
			c.finish(m.ID, r, m.err())
		}
		return true
	})
	c.end()
}

// end turns to a pool of our own, in which those run who ran.
func (c *Client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason := errLost
	if c.closed {
		reason = ErrClosed
	}
	c.own = newLocal(c.limit)
	c.own.holders = c.holders
	for _, h := range c.holders {
		if h.running {
			c.own.used++
		}
	}
	for id, r := range c.pending {
		r.err = reason
		delete(c.pending, id)
		close(r.done)
	}
}

// request is an acquire or resume that was not answered yet.
type request struct {
	op     op
	holder string
	done   chan struct{}
	err    error // to be read after done
}

// finish notes what the answer means for the holder. To be called with c.mu held.
func (c *Client) finish(id uint64, r *request, err error) {
	delete(c.pending, id)
	r.err = err
	h, known := c.holders[r.holder]
	switch {
	case err == errUnknown:
		delete(c.holders, r.holder)
		r.err = nil
	case err == nil && (known || r.op == opAcquire): // else it was released meanwhile
		h.pauses = max(0, h.pauses-1)
		h.running = h.pauses == 0
		c.holders[r.holder] = h
	}
	close(r.done)
}

// Acquire implements Pool.
func (c *Client) Acquire(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := c.request(ctx, opAcquire, name)
	if err == errLost {
		return c.own.Acquire(ctx, name)
	}
	return err
}

// Resume implements Pool.
func (c *Client) Resume(ctx context.Context, name string) error {
	err := c.request(ctx, opResume, name)
	if err == errLost {
		return c.own.Resume(ctx, name)
	}
	return err
}

// request asks the server. After errLost there is a pool of our own to ask.
func (c *Client) request(ctx context.Context, op op, name string) error {
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return ErrClosed
	case c.own != nil:
		c.mu.Unlock()
		return errLost
	}
	c.lastID++
	id := c.lastID
	r := &request{op: op, holder: name, done: make(chan struct{})}
	c.pending[id] = r
	c.out.add(message{Op: op, ID: id, Name: name})
	c.mu.Unlock()

	select {
	case <-r.done:
	case <-ctx.Done():
		c.cancel(id, r, ctx.Err())
		<-r.done
	}
	return r.err
}

// cancel ends a request unless it has ended before. It waits for nobody: the
// server undoes what it may have granted meanwhile.
func (c *Client) cancel(id uint64, r *request, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[id] != r {
		return
	}
	delete(c.pending, id)
	r.err = err
	if h := c.holders[r.holder]; r.op == opResume && h.pauses > 0 {
		h.pauses--
		c.holders[r.holder] = h
	}
	c.out.add(message{Op: opCancel, ID: id, Name: r.holder})
	close(r.done)
}

// Pause implements Pool.
func (c *Client) Pause(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil {
		c.own.Pause(name)
		return
	}
	h := c.holders[name]
	h.pauses++
	h.running = false
	c.holders[name] = h
	c.out.add(message{Op: opPause, Name: name})
}

// Release implements Pool.
func (c *Client) Release(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil {
		c.own.Release(name)
		return
	}
	delete(c.holders, name)
	c.out.add(message{Op: opRelease, Name: name})
}
