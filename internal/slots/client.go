package slots

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Client uses the pools of another process. When that process ends, the client
// goes on with pools of its own, of the same sizes: a worker that lost its
// orchestrator must not hang.
type Client struct {
	conn    net.Conn
	out     *outbox
	done    chan struct{} // closed when the connection has ended
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	lost    bool
	pools   map[string]*remote
	pending map[uint64]*request
	lastID  uint64
}

var errLost = errors.New("slots: the server is lost")

// Dial connects to a Server. When it fails the server is gone, and Pools of this
// process's own are the way on.
func Dial(path string) (*Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("slots: connect to the process that has the slots: %w", err)
	}
	c := &Client{
		conn: conn, out: newOutbox(), done: make(chan struct{}),
		pools: map[string]*remote{}, pending: map[uint64]*request{},
	}
	c.running.Go(c.receive)
	c.running.Go(func() { c.out.send(conn, c.done) })
	return c, nil
}

// Pool returns the server's pool with that name, which gets n slots if it is new
// there; n <= 0 means no limit, and needs no server.
func (c *Client) Pool(name string, n int) Pool {
	if n <= 0 {
		return unlimited{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pools[name]
	if !ok {
		p = &remote{client: c, index: uint64(len(c.pools)), limit: n, holders: map[string]holder{}}
		c.pools[name] = p
		if c.lost {
			p.own = newLocal(n)
		} else {
			c.out.add(frame{op: opOpen, pool: p.index, n: uint64(n), text: name})
		}
	}
	return p
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
	for r := bufio.NewReader(c.conn); ; {
		f, err := readFrame(r)
		if err != nil || f.op != opAnswer {
			c.end()
			return
		}
		c.mu.Lock()
		if r, ok := c.pending[f.id]; ok { // else it was cancelled
			c.finish(f.id, r, answerError(f.n))
		}
		c.mu.Unlock()
	}
}

// end turns to pools of our own, in which those run who ran.
func (c *Client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
	reason := errLost
	if c.closed {
		reason = ErrClosed
	}
	for _, p := range c.pools {
		p.own = newLocal(p.limit)
		for name, h := range p.holders {
			p.own.holders[name] = h
			if h.running {
				p.own.used++
			}
		}
		p.holders = nil
	}
	for id, r := range c.pending {
		r.err = reason
		delete(c.pending, id)
		close(r.done)
	}
}

// request is an acquire or resume that was not answered yet.
type request struct {
	pool   *remote
	op     byte
	holder string
	done   chan struct{}
	err    error // to be read after done
}

// finish notes what the answer means for the holder. To be called with c.mu held.
func (c *Client) finish(id uint64, r *request, err error) {
	delete(c.pending, id)
	r.err = err
	h, known := r.pool.holders[r.holder]
	switch {
	case err == errUnknown:
		delete(r.pool.holders, r.holder)
		r.err = nil
	case err == nil && (known || r.op == opAcquire): // else it was released meanwhile
		h.pauses = max(0, h.pauses-1)
		h.running = h.pauses == 0
		r.pool.holders[r.holder] = h
	}
	close(r.done)
}

// remote is a pool of the server's. It keeps account of what this process holds,
// in case the server is lost.
type remote struct {
	client  *Client
	index   uint64
	limit   int
	holders map[string]holder // guarded by client.mu, as is the next
	own     *local            // when the server is lost
}

func (p *remote) Acquire(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.request(ctx, opAcquire, name)
}

func (p *remote) Resume(ctx context.Context, name string) error {
	return p.request(ctx, opResume, name)
}

func (p *remote) request(ctx context.Context, op byte, name string) error {
	c := p.client
	c.mu.Lock()
	switch {
	case c.closed:
		c.mu.Unlock()
		return ErrClosed
	case c.lost:
		c.mu.Unlock()
		return p.locally(ctx, op, name)
	}
	c.lastID++
	id := c.lastID
	r := &request{pool: p, op: op, holder: name, done: make(chan struct{})}
	c.pending[id] = r
	c.out.add(frame{op: op, id: id, pool: p.index, text: name})
	c.mu.Unlock()

	select {
	case <-r.done:
	case <-ctx.Done():
		c.cancel(id, r, ctx.Err())
		<-r.done
	}
	if r.err == errLost {
		return p.locally(ctx, op, name)
	}
	return r.err
}

// locally asks the pool of our own, which is there once the server is lost.
func (p *remote) locally(ctx context.Context, op byte, name string) error {
	if op == opAcquire {
		return p.own.Acquire(ctx, name)
	}
	return p.own.Resume(ctx, name)
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
	if h := r.pool.holders[r.holder]; r.op == opResume && h.pauses > 0 {
		h.pauses--
		r.pool.holders[r.holder] = h
	}
	c.out.add(frame{op: opCancel, id: id, pool: r.pool.index, n: uint64(r.op), text: r.holder})
	close(r.done)
}

func (p *remote) Pause(name string) {
	c := p.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		p.own.Pause(name)
		return
	}
	h := p.holders[name]
	h.pauses++
	h.running = false
	p.holders[name] = h
	c.out.add(frame{op: opPause, pool: p.index, text: name})
}

func (p *remote) Release(name string) {
	c := p.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		p.own.Release(name)
		return
	}
	delete(p.holders, name)
	c.out.add(frame{op: opRelease, pool: p.index, text: name})
}
