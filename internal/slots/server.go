package slots

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Server lends the pools of this process to others.
type Server struct {
	pools    *Pools
	dir      string
	listener net.Listener
	running  sync.WaitGroup
	closing  chan struct{}

	mu       sync.Mutex
	closed   bool
	sessions map[*session]struct{}
}

// Serve makes the pools available under Path, to processes of this user. A pool
// that another process asks for and that is not there is made.
func Serve(pools *Pools) (*Server, error) {
	dir, err := socketDir()
	if err != nil {
		return nil, fmt.Errorf("slots: a folder for a socket: %w", err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, socketName))
	if err != nil {
		os.Remove(dir)
		return nil, fmt.Errorf("slots: listen: %w", err)
	}
	s := &Server{pools: pools, dir: dir, listener: listener, closing: make(chan struct{}), sessions: map[*session]struct{}{}}
	s.running.Go(s.accept)
	s.running.Go(func() { sweep(filepath.Dir(dir)) })
	return s, nil
}

// socketDir makes a folder, for this user only, whose path is short enough: the
// path of a socket may have 103 bytes on macOS and 107 on Linux, see unix(7).
func socketDir() (string, error) {
	const longest = 90
	dir, err := os.MkdirTemp("", dirPattern)
	if err == nil && len(dir) <= longest {
		return dir, nil
	}
	if err == nil {
		os.Remove(dir)
	}
	return os.MkdirTemp("/tmp", dirPattern)
}

// Path is where Dial finds the server.
func (s *Server) Path() string { return s.listener.Addr().String() }

// Close ends all connections, which gives back what they hold, and returns when
// that is done.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	close(s.closing)
	err := s.listener.Close() // removes the socket
	for c := range s.sessions {
		c.conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	if removed := os.Remove(s.dir); err == nil && !errors.Is(removed, os.ErrNotExist) {
		err = removed
	}
	return err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no descriptors left, perhaps
			select {
			case <-s.closing:
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		c := &session{pools: s.pools, conn: conn, out: newOutbox()}
		s.mu.Lock()
		if s.closed {
			conn.Close()
		} else {
			s.sessions[c] = struct{}{}
			s.running.Go(func() {
				c.serve()
				s.mu.Lock()
				delete(s.sessions, c)
				s.mu.Unlock()
			})
		}
		s.mu.Unlock()
	}
}

// session is the connection of another process. What it acquired goes with it;
// it may pause and resume what others acquired.
type session struct {
	pools  *Pools
	conn   net.Conn
	out    *outbox
	opened []*local
}

func (c *session) serve() {
	done := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { c.out.send(c.conn, done) })
	for r := bufio.NewReader(c.conn); ; {
		f, err := readFrame(r)
		if err != nil || !c.handle(f) {
			break
		}
	}
	c.conn.Close()
	close(done)
	sending.Wait()
	for _, p := range c.opened {
		p.disconnect(c)
	}
}

// handle does what a frame asks for; false if it makes no sense.
func (c *session) handle(f frame) bool {
	if f.op == opOpen {
		p, limited := c.pools.Pool(f.text, int(f.n)).(*local)
		if !limited || f.pool != uint64(len(c.opened)) {
			return false
		}
		c.opened = append(c.opened, p)
		return true
	}
	if f.pool >= uint64(len(c.opened)) {
		return false
	}
	p := c.opened[f.pool]
	switch f.op {
	case opAcquire:
		if w, err := p.acquire(f.text, c, f.id); w == nil {
			c.answer(f.id, err)
		}
	case opResume:
		if w, err := p.resume(f.text, c, f.id); w == nil {
			c.answer(f.id, err)
		}
	case opPause:
		p.Pause(f.text)
	case opRelease:
		p.Release(f.text)
	case opCancel:
		p.cancel(f.text, c, f.id, f.n == opAcquire)
	default:
		return false
	}
	return true
}

func (c *session) answer(id uint64, err error) {
	c.out.add(frame{op: opAnswer, id: id, n: answerCode(err)})
}

// cancel withdraws a request of a connection. The answer may be on its way: then
// an acquired slot is given back; a resumed one stays with its holder, which
// runs after all.
func (p *local) cancel(name string, from *session, id uint64, acquired bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.holders[name]
	switch {
	case h.waiting != nil && h.waiting.from == from && h.waiting.id == id:
		p.leave(h.waiting)
	case acquired && h.owner == from && h.id == id:
		p.drop(name)
	}
}

// disconnect withdraws what a connection waits for and gives back what it holds.
func (p *local) disconnect(from *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.holders {
		if h.waiting != nil && h.waiting.from == from {
			p.leave(h.waiting)
		}
	}
	for name, h := range p.holders {
		if h.owner == from {
			p.drop(name)
		}
	}
}
