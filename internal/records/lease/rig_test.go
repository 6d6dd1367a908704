package lease_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
)

// proc is one process as the tests play it: its own way to the shared store,
// with its own troubles on the way, and its own session and judge.
type proc struct {
	*wire
	store   *blob.Store
	session *lease.Session
	judge   *lease.Judge
}

// newProc connects a process to the shared store. Nothing closes its session:
// call Close, or kill to let it vanish.
func newProc(base driver.Store, options ...func(*wire, *lease.Config, *lease.JudgeConfig)) *proc {
	w := &wire{Store: base, counts: make(map[string]int)}
	var config lease.Config
	judging := lease.JudgeConfig{Alive: unknown, Name: "the judge"}
	for _, option := range options {
		option(w, &config, &judging)
	}
	var d driver.Store = w
	if !w.noClock {
		d = clocked{w}
	}
	store := blob.New("mem://shared", d)
	return &proc{wire: w, store: store, session: lease.NewSession(store, config), judge: lease.NewJudge(store, judging)}
}

func unknown(string) (alive, known bool)  { return false, false }
func running(string) (alive, known bool)  { return true, true }
func vanished(string) (alive, known bool) { return false, true }

func alive(look func(string) (bool, bool)) func(*wire, *lease.Config, *lease.JudgeConfig) {
	return func(_ *wire, _ *lease.Config, j *lease.JudgeConfig) { j.Alive = look }
}

func noClock(w *wire, _ *lease.Config, _ *lease.JudgeConfig) { w.noClock = true }

// clockOff makes the store's clock wrong, as seen from the process's own.
func clockOff(by time.Duration) func(*wire, *lease.Config, *lease.JudgeConfig) {
	return func(w *wire, _ *lease.Config, _ *lease.JudgeConfig) { w.offset = by }
}

// dated makes the store's dates wrong against its own clock.
func dated(by time.Duration) func(*wire, *lease.Config, *lease.JudgeConfig) {
	return func(w *wire, _ *lease.Config, _ *lease.JudgeConfig) { w.dated = by }
}

// kill lets the process vanish: nothing that it writes arrives any more.
func (p *proc) kill() { p.set(func(op, key string) error { return errDown }, nil) }

var (
	errDown = &driver.Error{Kind: driver.Unavailable, Err: errors.New("no route to the store")}
	errAck  = &driver.Error{Kind: driver.Unavailable, Err: errors.New("connection reset")}
)

// wire is a driver that counts, fails and hangs as told.
type wire struct {
	driver.Store
	noClock       bool
	offset, dated time.Duration

	mu     sync.Mutex
	before func(op, key string) error // fails an operation that did not happen
	after  func(op, key string) error // fails one that did
	counts map[string]int
}

// set replaces the troubles; nil is none.
func (w *wire) set(before, after func(op, key string) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

// count returns how often op was tried on sessions, or on other blobs.
func (w *wire) count(op string, sessions bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[label(op, sessions)]
}

func (w *wire) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.counts {
		n += c
	}
	return n
}

func label(op string, session bool) string {
	if session {
		return op + " session"
	}
	return op
}

func (w *wire) enter(op, key string) error {
	w.mu.Lock()
	w.counts[label(op, strings.HasPrefix(key, lease.SessionPrefix))]++
	before := w.before
	w.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op, key)
}

func (w *wire) leave(op, key string, err error) error {
	w.mu.Lock()
	after := w.after
	w.mu.Unlock()
	if err != nil || after == nil {
		return err
	}
	return after(op, key)
}

func (w *wire) date(info driver.Info) driver.Info {
	info.ModTime = info.ModTime.Add(w.offset + w.dated)
	return info
}

func (w *wire) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if err := w.enter("get", key); err != nil {
		return nil, driver.Info{}, err
	}
	body, info, err := w.Store.Get(ctx, key, part)
	return body, w.date(info), w.leave("get", key, err)
}

func (w *wire) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if err := w.enter("put", key); err != nil {
		return driver.Info{}, err
	}
	info, err := w.Store.Put(ctx, key, body, size, opts)
	return w.date(info), w.leave("put", key, err)
}

func (w *wire) Stat(ctx context.Context, key string) (driver.Info, error) {
	if err := w.enter("stat", key); err != nil {
		return driver.Info{}, err
	}
	info, err := w.Store.Stat(ctx, key)
	return w.date(info), w.leave("stat", key, err)
}

type clocked struct{ *wire }

func (c clocked) Now(context.Context) (time.Time, error) { return time.Now().Add(c.offset), nil }

const key = "mops1/p/f@0/call/lease"

// mustTake takes an absent lease.
func mustTake(t *testing.T, p *proc) (context.Context, *lease.Held) {
	t.Helper()
	ctx, held, err := p.session.Take(t.Context(), key, "", lease.State{})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, held
}

func mustRead(t *testing.T, store *blob.Store) (lease.State, blob.Version) {
	t.Helper()
	state, version, err := lease.Read(t.Context(), store, key)
	if err != nil {
		t.Fatal(err)
	}
	return state, version
}

func mustClose(t *testing.T, procs ...*proc) {
	t.Helper()
	for _, p := range procs {
		p.set(nil, nil)
		if err := p.session.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func isDead(t *testing.T, p *proc, session string) bool {
	t.Helper()
	dead, recheck, err := p.judge.Dead(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	if !dead && (recheck <= 0 || recheck > 5*time.Second) {
		t.Errorf("recheck in %v", recheck)
	}
	return dead
}

// mustLose checks that a context ended because its lease was lost.
func mustLose(t *testing.T, ctx context.Context) {
	t.Helper()
	if ctx.Err() == nil {
		t.Fatal("the context of a lost lease goes on")
	}
	if cause := context.Cause(ctx); !errors.Is(cause, lease.ErrLost) {
		t.Fatalf("the cause is %v, want ErrLost", cause)
	}
}

func newStore() driver.Store { return memblob.New() }
