package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Errors of sessions.
var (
	// ErrLost is the cause of the end of a context whose lease was lost: others
	// may compute the call now.
	ErrLost = errors.New("the lease was lost")

	// ErrClosed says that the session was closed.
	ErrClosed = errors.New("the session is closed")
)

// Config is what a session tells of itself and how it keeps alive. The zero
// value is good.
type Config struct {
	Process process.Identity // this process if zero
	User    string           // this user if ""
	Program record.Program   // this program if zero
	Renew   time.Duration    // between renewals; 8 s if zero
	TTL     time.Duration    // 24 s if zero, 3 × Renew if that is set
	Log     *slog.Logger     // may be nil
}

// thisUser tells people whom to ask; "" if unknown.
var thisUser = sync.OnceValue(func() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
})

// Session is this process as all users of a store see it: one blob, however
// many leases. It is written when the first lease is needed, and renewed from
// then on. If a session is lost, a new one with another id follows as soon as a
// lease is needed again. Session is safe for concurrent use.
type Session struct {
	store  *blob.Store
	config Config
	waits  waits

	start   gate // held while a life begins, and by Close
	current atomic.Pointer[life]
	closed  atomic.Bool
	stop    []context.CancelFunc // guarded by start
	loops   sync.WaitGroup       // one renewing goroutine for each life
}

// NewSession makes the session of this process in a store. It does no I/O.
func NewSession(store *blob.Store, config Config) *Session {
	if config.Process == (process.Identity{}) {
		config.Process = process.Self()
	}
	if config.Program == (record.Program{}) {
		config.Program = record.ThisProgram()
	}
	if config.User == "" {
		config.User = thisUser()
	}
	if config.Renew <= 0 {
		config.Renew = defaultRenew
	}
	if config.TTL <= 0 {
		config.TTL = 3 * config.Renew
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Session{store: store, config: config, start: newGate(), waits: waits{news: make(chan struct{}, 1)}}
}

// Begin makes sure that the session is in the store and returns its id. After
// the first time it does no I/O, until the session is lost.
func (s *Session) Begin(ctx context.Context) (id string, err error) {
	l, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	return l.id, nil
}

func (s *Session) begin(ctx context.Context) (*life, error) {
	if l := s.current.Load(); l != nil && l.lost() == nil && !s.closed.Load() {
		return l, nil
	}
	if err := s.start.lock(ctx); err != nil {
		return nil, err
	}
	defer s.start.unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if l := s.current.Load(); l != nil && l.lost() == nil {
		return l, nil
	}
	l, err := newLife(ctx, s.store, s.config, &s.waits)
	if err != nil {
		return nil, fmt.Errorf("beginning a session: %w", err)
	}
	// The renewals go on after the call that needed the first lease.
	loop, stop := context.WithCancel(context.Background())
	s.stop = append(s.stop, stop)
	s.loops.Go(func() { l.run(loop) })
	s.current.Store(l)
	return l, nil
}

// ID is the id of the session if it has begun and was not lost, else "".
func (s *Session) ID() string {
	if l := s.current.Load(); l != nil && l.lost() == nil && !s.closed.Load() {
		return l.id
	}
	return ""
}

// Holds reports whether this session holds a lease that nobody here has ended
// with Done or Release.
func (s *Session) Holds(key string) bool {
	l := s.current.Load()
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.held, func(h *Held) bool { return h.key == key })
}

// Close ends the session and tells others, so that they need not wait for it to
// expire. Contexts that are still held end with ErrClosed; their leases count
// as those of a dead session. When Close returns, the renewing goroutine has
// ended; the context bounds only what Close writes.
func (s *Session) Close(ctx context.Context) error {
	if err := s.start.lock(ctx); err != nil {
		return err
	}
	defer s.start.unlock()
	if s.closed.Swap(true) {
		return nil
	}
	for _, stop := range s.stop {
		stop()
	}
	s.loops.Wait()
	l := s.current.Load()
	if l == nil || l.lost() != nil {
		return nil
	}
	l.lose(ErrClosed)
	return l.end(ctx)
}
