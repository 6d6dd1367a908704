// Package pack puts calls together that are too short for a worker each: a group
// of workers takes them one after another from a list in the store. A [Packer]
// decides, in the orchestrator, which calls make a pack and how many workers it
// gets; a group follows one pack by the ledgers that its workers keep; a [Worker]
// works through the list. Every call keeps its own lease, records and log, as if
// it had a worker of its own. Package orchestrate stands above, the formats of
// package packs and the executors below.
package pack

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// Config is for whom a Packer works.
type Config struct {
	Executor executor.Executor
	Packing  executor.Packing
	Store    *blob.Store
	Function string // name@version of the calls
	Pipeline string
	Logger   *slog.Logger

	ProgramRun string // the run of the program that makes the calls

	// Env returns the environment of the workers of a pack.
	Env func(ctx context.Context, p packs.Pack, side int) ([]string, error)

	// History tells of earlier runs of the function, as an Invocation's does. May be nil.
	History func(ctx context.Context) ([]executor.Past, error)

	// Go runs something on a goroutine that the owner of the Packer waits for.
	Go func(func())

	// EvenOne lets a single call be a pack. Otherwise such a member is Single: a
	// worker of its own suits it better.
	EvenOne bool
}

const (
	// quiet is how long no call must have come before a pack starts that is not
	// full, and patience the longest that it waits for more.
	quiet    = 100 * time.Millisecond
	patience = time.Second

	// worth is what a group costs to start and to end, as time. While others run, a
	// pack that is not full waits so long for each of them, and at most a quarter of
	// what a worker is to be busy: else a stream of calls would become one of small
	// groups. The next group is there before the last one has ended all the same.
	worth = 4 * time.Second

	// mostCalls bounds a pack: while it runs, the next one is put together.
	mostCalls = 4000

	// mostWorkers bounds a group where nothing else does.
	mostWorkers = 100
)

// Packer puts the calls of one function on executors that are alike into packs.
// It is safe for concurrent use.
type Packer struct {
	Config
	singles chan struct{} // bounds single workers beside the packs; nil: nothing does

	attaching sync.Mutex

	mu       sync.Mutex
	wake     chan struct{} // has a token when the loop must look
	looping  bool
	forming  *forming // nil while no call has asked for a pack
	groups   map[*group]bool
	lone     map[*Member]time.Time // calls that have a worker of their own, and since when
	others   map[string]*list      // by the id of the pack: those that another process put together
	drained  bool                  // no more calls come
	recalled bool                  // the history was asked for
	walls    []time.Duration       // how long calls took
	sum      time.Duration         // of walls
	next     int                   // the oldest of walls
}

// forming is a pack that is being put together.
type forming struct {
	pack        packs.Pack
	handle      string
	members     []*Member
	first, last time.Time // when members came
}

// New makes a Packer. It does no I/O.
func New(c Config) *Packer {
	c.Packing.Side = max(c.Packing.Side, 1)
	p := &Packer{Config: c, wake: make(chan struct{}, 1), groups: map[*group]bool{}, others: map[string]*list{}, lone: map[*Member]time.Time{}}
	if c.Packing.Most > 0 {
		p.singles = make(chan struct{}, c.Packing.Most)
	}
	return p
}

// Single waits until a call may have a worker of its own beside the packs, and
// returns what gives that right back.
func (p *Packer) Single(ctx context.Context) (release func(), err error) {
	if p.singles == nil {
		return func() {}, nil
	}
	select {
	case p.singles <- struct{}{}:
		return func() { <-p.singles }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// handlePrefix begins the handles of calls in packs. Behind it stand the id of
// the pack and the executor's handle of the group.
const handlePrefix = "pack:"

// SplitHandle takes the handle of a call in a pack apart.
func SplitHandle(handle string) (id, group string, ok bool) {
	rest, ok := strings.CutPrefix(handle, handlePrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// Handle is the handle of a call that joins the pack which is being put together
// now. It belongs into the call's lease before the call joins.
func (p *Packer) Handle() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open().handle
}

// open is the pack that is being put together. The caller holds mu.
func (p *Packer) open() *forming {
	if p.forming == nil {
		made := packs.Pack{Store: p.Store, ID: lease.NewID()}
		handle := ""
		if namer, ok := p.Executor.(executor.Namer); ok {
			handle = namer.HandleOf(p.invocation(made))
		}
		p.forming = &forming{pack: made, handle: handlePrefix + made.ID + ":" + handle}
	}
	return p.forming
}

// invocation is a pack as its executor sees it.
func (c Config) invocation(p packs.Pack) executor.Invocation {
	return executor.Invocation{
		Function: c.Function, MemoURI: p.URI(), Pipeline: c.Pipeline, Logger: c.Logger, History: c.History,
		ID: executor.ID{LeaseID: p.ID, RunID: p.ID, Attempt: 1, Executor: c.Executor.Name(), ProgramRun: c.ProgramRun},
	}
}

// ErrLaunched says that the pack of a handle is not being put together any more:
// ask for the next one.
var ErrLaunched = errors.New("the pack has been started")

// Join puts a call into the pack that has the handle.
func (p *Packer) Join(inv executor.Invocation, handle string) (*Member, error) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.open()
	if f.handle != handle {
		return nil, ErrLaunched
	}
	m := &Member{
		packer: p, handle: handle, inv: inv, done: make(chan struct{}),
		call: packs.Call{Function: inv.Function, MemoURI: inv.MemoURI, ID: inv.ID, Env: inv.Env},
	}
	if len(f.members) == 0 {
		f.first = now
	}
	f.members, f.last = append(f.members, m), now
	if !p.looping {
		p.looping = true
		p.Go(p.loop)
	}
	if !p.consider(now) && len(f.members) == 1 {
		p.look() // from now on it is to be started before long
	}
	return m, nil
}

// look lets the loop look.
func (p *Packer) look() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// loop starts packs, until there is nobody left to start one for.
func (p *Packer) loop() {
	p.recall()
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for { // a turn costs little, and most come when something happened
		again, over := p.turn()
		if over {
			return
		}
		timer.Reset(again)
		select {
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// busy is how many groups run, and calls by themselves. The caller holds mu.
func (p *Packer) busy() int { return len(p.groups) + len(p.lone) }

// SingleEnded says that a member that was Single has ended, and how long its
// function took; 0 if it failed.
func (p *Packer) SingleEnded(m *Member, wall time.Duration) {
	if wall > 0 {
		p.learn(wall)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.lone, m)
	p.look()
}

// consider starts the pack that is being put together if it is full, or if no
// more calls come. The caller holds mu.
func (p *Packer) consider(now time.Time) (started bool) {
	f := p.forming
	if f == nil || len(f.members) == 0 || !p.recalled {
		return false
	}
	if g, ready := p.takes(len(f.members), now); g != nil {
		if ready = ready && (len(f.members) >= mostCalls || !now.Before(p.due(true))); ready {
			p.hand(f, g)
		}
		return ready
	}
	perWorker, free := p.plan(now)
	full := min(perWorker*free, mostCalls)
	if free == 0 || len(f.members) < full && now.Before(p.due(false)) {
		return false
	}
	if _, known := p.each(now); !known && len(f.members) > full { // they came while the history was asked for
		for _, m := range f.members[full:] {
			m.end(Again, executor.Exit{})
		}
		f.members = f.members[:full]
	}
	p.launch(f, min((len(f.members)+perWorker-1)/perWorker, free))
	return true
}

// due is when the pack that is being put together starts though it is not full, or
// is handed over. The caller holds mu.
func (p *Packer) due(handed bool) time.Time {
	f := p.forming
	n := len(p.lone)
	for g := range p.groups {
		if g.live() {
			n++
		}
	}
	if n > 0 && !handed {
		return f.first.Add(min(worth*time.Duration(n), max(p.Packing.Work/4, patience)))
	}
	if due := f.last.Add(quiet); due.Before(f.first.Add(patience)) {
		return due
	}
	return f.first.Add(patience)
}

// turn starts a pack if it is time to. It says when to look again, and whether
// the loop is over.
func (p *Packer) turn() (again time.Duration, over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.consider(now)
	again = p.dismiss(now)
	switch f := p.forming; {
	case f != nil && len(f.members) > 0:
		g, _ := p.takes(len(f.members), now)
		return max(min(p.due(g != nil).Sub(now), worth, again), quiet/2), false
	case p.busy() == 0:
		p.looping = false
		return 0, true
	}
	return again, false
}

// launch starts a pack. The caller holds mu.
func (p *Packer) launch(f *forming, workers int) {
	p.forming = nil
	if len(f.members) == 1 && !p.EvenOne {
		p.lone[f.members[0]] = time.Now()
		f.members[0].end(Single, executor.Exit{})
		return
	}
	_, handle, _ := SplitHandle(f.handle)
	g := p.newGroup(f.pack, handle, workers)
	g.open = true
	g.add(f)
	p.groups[g] = true
	p.Go(g.run)
}

// leave forgets a group that has ended, or that nobody here follows any more.
func (p *Packer) leave(g *group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(g)
}

// forget is leave for a caller that holds mu.
func (p *Packer) forget(g *group) {
	delete(p.groups, g)
	for _, l := range g.lists {
		if p.others[l.pack.ID] == l { // and not what was found again meanwhile
			delete(p.others, l.pack.ID)
		}
	}
	p.look()
}
