package remote

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/far"
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

var (
	notInNames  = regexp.MustCompile(`[^a-z0-9]+`)
	validHandle = regexp.MustCompile(`^mops-[a-z0-9-]{1,60}$`)
)

// HandleOf returns the name of the worker, by which its machine knows it.
func (e *Executor) HandleOf(inv executor.Invocation) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", inv.MemoURI, inv.LeaseID, inv.Attempt))
	function := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(inv.Function), "-"), "-")
	function = strings.TrimLeft(function[max(len(function)-30, 0):], "-")
	return "mops-" + function + "-" + lowerBase32.EncodeToString(sum[:10])
}

// worker is one that this process started or attached to. Its goroutine watches it.
type worker struct {
	e     *Executor
	inv   executor.Invocation
	name  string
	had   int64 // bytes of output
	host  string
	start far.Start

	done     signal        // given when it has ended, or is watched no more
	exit     executor.Exit // after done, unless it was released
	stopped  signal
	killed   signal
	released signal
}

// signal is an event that happens at most once.
type signal struct {
	once sync.Once
	c    chan struct{}
}

func newSignal() signal { return signal{c: make(chan struct{})} }

func (s *signal) give() { s.once.Do(func() { close(s.c) }) }

func (s *signal) given() bool {
	select {
	case <-s.c:
		return true
	default:
		return false
	}
}

// wait returns when the event has happened, or with the error of a context that ended
// before it.
func (s *signal) wait(ctx context.Context) error {
	if s.given() {
		return nil
	}
	select {
	case <-s.c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Executor) worker(inv executor.Invocation, name string) *worker {
	return &worker{
		e: e, inv: inv, name: name, done: newSignal(), stopped: newSignal(), killed: newSignal(), released: newSignal(),
	}
}

func launchFailed(inv executor.Invocation, err error) *executor.Error {
	return &executor.Error{Reason: executor.LaunchFailed, Message: inv.Function + " could not be started", Err: err}
}

// Start starts the command. Whether that leads to a machine, and the worker starts
// there, Wait says: a queue may be in between.
func (e *Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, &executor.Error{Reason: executor.LaunchFailed, Message: inv.Function + " was cancelled before it started", Err: err}
	}
	if len(e.through) == 0 {
		return nil, launchFailed(inv, errors.New("its executor has no command; give remote.New one of Through, SSH, Slurm and Docker"))
	}
	if _, err := exec.LookPath(e.through[0]); err != nil {
		return nil, launchFailed(inv, err)
	}
	if _, err := e.binary(); err != nil {
		return nil, launchFailed(inv, err)
	}
	if inv.Workers > 0 {
		return e.startGroup(inv), nil
	}
	return e.start(inv, e.HandleOf(inv)), nil
}

func (e *Executor) start(inv executor.Invocation, name string) *worker {
	w := e.worker(inv, name)
	w.start = far.Start{
		Name: name, Function: inv.Function, MemoURI: inv.MemoURI, Grace: e.grace,
		Env: append(append([]string(nil), e.env...), inv.Env...), Folder: folderOf(e.RootFor(inv.MemoURI)),
	}
	w.tell(e.stage)
	go w.run(nil)
	return w
}

// folderOf is the folder of a call, if its root is one.
func folderOf(uri string) string {
	rest, isFile := strings.CutPrefix(uri, "file://")
	if !isFile {
		return ""
	}
	if path, err := url.PathUnescape(rest); err == nil {
		return path
	}
	return rest
}

func (w *worker) tell(stage executor.Stage) {
	if w.inv.Tell != nil {
		w.inv.Tell(stage)
	}
}

// Attach finds a worker through the command of [Again].
func (e *Executor) Attach(ctx context.Context, inv executor.Invocation, handle string) (executor.Worker, error) {
	if !validHandle.MatchString(handle) || len(e.again) == 0 {
		return nil, fmt.Errorf("attach to the worker of %s: %w", inv.Function, executor.ErrGone)
	}
	if inv.Workers > 0 {
		g, err := e.attachGroup(ctx, inv, handle)
		if err != nil {
			return nil, err
		}
		return g, nil
	}
	w, err := e.attach(ctx, inv, handle)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (e *Executor) attach(ctx context.Context, inv executor.Invocation, handle string) (*worker, error) {
	w := e.worker(inv, handle)
	l, err := w.connect(ctx, e.again, far.Request{Attach: &far.Attach{Name: handle}})
	if errors.Is(err, errGone) {
		return nil, fmt.Errorf("attach to the worker %s: %w", handle, executor.ErrGone)
	}
	if err != nil && ctx.Err() == nil && !w.lives(ctx) { // nobody can say more of a machine that is not there
		return nil, fmt.Errorf("attach to the worker %s: %w (%w)", handle, executor.ErrGone, err)
	}
	if err != nil {
		return nil, fmt.Errorf("attach to the worker %s: %w", handle, err)
	}
	w.tell(executor.Running)
	go w.run(l)
	return w, nil
}

// lives reports whether the worker gives signs of life through the store, as far as
// anybody can tell.
func (w *worker) lives(ctx context.Context) bool {
	if w.inv.Lives == nil {
		return true
	}
	lives, err := w.inv.Lives(ctx)
	return lives || err != nil
}

// handshakeTries is how often a connection is tried that a busy server turned down.
const handshakeTries = 5

// connect makes a connection to an agent, and says the first word there. If it fails,
// no worker was started by it.
func (w *worker) connect(ctx context.Context, command []string, first far.Request) (*link, error) {
	b, err := w.e.binary()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		l, err := w.handshake(ctx, command, b)
		if err == nil {
			if err = l.begin(ctx, first); err == nil {
				return l, nil
			}
			l.end()
		}
		if try == handshakeTries || !isHiccup(err) {
			return nil, err
		}
		select {
		case <-time.After(time.Duration(try) * 500 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// handshake waits for its turn, and leads a command to an agent.
func (w *worker) handshake(ctx context.Context, command []string, b *binary) (*link, error) {
	if turns := w.e.handshakes; turns != nil {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	var explain func(string)
	if w.e.stage == executor.Queued {
		explain = w.inv.Explain
	}
	l, err := open(command, w.name, explain)
	if err != nil {
		return nil, err
	}
	return l, w.e.meet(ctx, l, b)
}

func (w *worker) Handle() string { return w.name }

// Wait returns when the worker has ended and inv.Log has got its output. After
// Release it fails.
func (w *worker) Wait(ctx context.Context) (executor.Exit, error) {
	if err := w.done.wait(ctx); err != nil {
		return executor.Exit{}, err
	}
	if w.released.given() {
		return executor.Exit{}, errReleased(w.name)
	}
	return w.exit, nil
}

// Stop ends the worker, on its machine, with all that it started: SIGTERM and, if it
// has not ended after the executor's Grace or when the context ends, SIGKILL. It
// returns when nothing of it runs any more; if the machine cannot be reached, when the
// context ends.
func (w *worker) Stop(ctx context.Context) error {
	if w.released.given() {
		return errReleased(w.name)
	}
	w.stopped.give()
	if ctx.Err() != nil {
		w.killed.give()
	}
	select {
	case <-w.done.c:
		return nil
	case <-ctx.Done():
	}
	w.killed.give()
	select {
	case <-w.done.c:
		return nil
	case <-time.After(time.Second):
		return fmt.Errorf("stop the worker %s: its end was not seen: %w", w.name, ctx.Err())
	}
}

func errReleased(name string) error {
	return fmt.Errorf("the worker %s was released and is not watched any more; attach to it by its handle", name)
}

// Release lets the worker run on, unwatched. When it has returned, nobody calls
// inv.Log any more.
func (w *worker) Release() {
	select {
	case <-w.done.c:
	default:
		w.released.give()
		<-w.done.c
	}
}

// reports is what the agent says, as it comes, until the link ends. It must be read
// till then.
func reports(l *link) <-chan far.Report {
	all := make(chan far.Report)
	go func() {
		defer close(all)
		for from := json.NewDecoder(l.lines); ; {
			var r far.Report
			if from.Decode(&r) != nil {
				return
			}
			all <- r
		}
	}()
	return all
}

// drain returns when the reader of reports has ended.
func drain(all <-chan far.Report) {
	for range all {
	}
}
