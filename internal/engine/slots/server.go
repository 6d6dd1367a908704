package slots

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// The folder of a server is named so; its socket is in it.
const (
	dirPattern = "mops-slots-*"
	socketName = "slots"
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

// sweep removes what servers that were killed left in a folder. Nobody listens
// to their sockets any more; a young one may be about to.
func sweep(temp string) {
	const young = time.Minute
	dirs, _ := filepath.Glob(filepath.Join(temp, dirPattern))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < young {
			continue
		}
		socket := filepath.Join(dir, socketName)
		conn, err := net.Dial("unix", socket)
		switch {
		case err == nil:
			conn.Close()
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
			os.Remove(socket)
			os.Remove(dir)
		}
	}
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

// session is the connection of another process, to one pool. What it acquired
// goes with it; it may pause and resume what others acquired.
type session struct {
	pools *Pools
	conn  net.Conn
	out   *outbox
	pool  *local // nil before it is opened
}

func (c *session) serve() {
	done := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { c.out.send(c.conn, done) })
	receive(c.conn, c.handle)
	c.conn.Close()
	close(done)
	sending.Wait()
	if c.pool != nil {
		c.pool.disconnect(c)
	}
}

// handle does what a message asks for; false if it makes no sense.
func (c *session) handle(m message) (sensible bool) {
	if m.Op == opOpen && m.Slots > 0 && c.pool == nil {
		c.pool, sensible = c.pools.Pool(m.Name, m.Slots).(*local)
		return sensible
	}
	if c.pool == nil {
		return false
	}
	switch m.Op {
	case opAcquire:
		if w, err := c.pool.acquire(m.Name, c, m.ID); w == nil {
			c.answer(m.ID, err)
		}
	case opResume:
		if w, err := c.pool.resume(m.Name, c, m.ID); w == nil {
			c.answer(m.ID, err)
		}
	case opPause:
		c.pool.Pause(m.Name)
	case opRelease:
		c.pool.Release(m.Name)
	case opCancel:
		c.pool.cancel(m.Name, c, m.ID)
	default:
		return false
	}
	return true
}

func (c *session) answer(id uint64, err error) { c.out.add(answer(id, err)) }

// cancel withdraws a request of a connection. The answer may be on its way: then
// an acquired slot is given back; a resumed one stays with its holder, which
// runs after all.
func (p *local) cancel(name string, from *session, id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.holders[name]
	switch {
	case h.waiting != nil && h.waiting.from == from && h.waiting.id == id:
		p.leave(h.waiting)
	case h.owner == from && h.id == id:
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
