package lease_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// putSession writes any bytes as the blob of a session.
func putSession(t *testing.T, p *proc, id string, data []byte) {
	t.Helper()
	if _, err := p.store.PutBytes(t.Context(), lease.SessionPrefix+id, data, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func sealSession(t *testing.T, state lease.SessionState) []byte {
	t.Helper()
	data, err := record.Seal(record.KindSession, state, nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What a judge can say at the first look.
func TestJudgeAtOnce(t *testing.T) {
	live := lease.SessionState{ID: "s", State: lease.Live, Process: "p", TTLSeconds: 24, RenewSeconds: 8}
	ended, dead, copied := live, live, live
	ended.State, dead.State, copied.ID = lease.Ended, lease.Dead, "another"
	for name, c := range map[string]struct {
		data []byte
		look func(string) (bool, bool)
		dead bool
		tomb bool // the judge writes the death down
	}{
		"live, out of sight":   {sealSession(t, live), unknown, false, false},
		"live":                 {sealSession(t, live), running, false, false},
		"its process is gone":  {sealSession(t, live), vanished, true, true},
		"ended":                {sealSession(t, ended), unknown, true, false},
		"dead":                 {sealSession(t, dead), running, true, false},
		"0 bytes":              {nil, running, true, true},
		"garbage":              {[]byte("mops1 session zz"), unknown, true, true},
		"of another session":   {sealSession(t, copied), running, true, true},
		"without times":        {sealSession(t, lease.SessionState{ID: "s", State: lease.Live}), unknown, false, false},
		"with senseless times": {sealSession(t, lease.SessionState{ID: "s", State: lease.Live, TTLSeconds: 1e300, RenewSeconds: -1}), unknown, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProc(newStore(), alive(c.look))
				putSession(t, p, "s", c.data)
				if got := isDead(t, p, "s"); got != c.dead {
					t.Fatalf("dead: %v, want %v", got, c.dead)
				}
				state, _, err := lease.ReadSession(t.Context(), p.store, "s")
				if c.tomb && (err != nil || state.State != lease.Dead || state.Reason == "" || state.JudgedBy != "the judge") {
					t.Errorf("the tombstone is %+v, %v", state, err)
				}
				if puts := p.count("put", true); !c.tomb && puts != 1 {
					t.Errorf("the judge wrote %d times", puts-1)
				}
				operations := p.total()
				if c.dead && !isDead(t, p, "s") {
					t.Error("the dead session came back to life")
				}
				if c.dead && p.total() != operations {
					t.Error("the judge does not remember the dead")
				}
			})
		})
	}
}

func TestJudgeOfNobody(t *testing.T) {
	p := newProc(newStore())
	for _, id := range []string{"missing", "", "..", "a//b", "a\nb"} {
		if !isDead(t, p, id) {
			t.Errorf("session %q lives", id)
		}
	}
}

// A judge neither decides about a session of a newer mops, nor writes over it.
func TestJudgeOfANewerFormat(t *testing.T) {
	p := newProc(newStore(), alive(vanished))
	data := sealSession(t, lease.SessionState{ID: "s", State: lease.Live})
	putSession(t, p, "s", bytes.Replace(data, []byte("mops1"), []byte("mops2"), 1))
	_, _, err := p.judge.Dead(t.Context(), "s")
	if _, ok := errors.AsType[*record.FormatError](err); !ok {
		t.Errorf("%v, want a *FormatError", err)
	}
	if p.count("put", true) != 1 {
		t.Error("it was written over")
	}
}

// diesWithin makes a process vanish, and returns how long a watcher, which asks
// whenever it is told to, takes to find its session dead.
func diesWithin(t *testing.T, watcher *proc, session string) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		dead, recheck, err := watcher.judge.Dead(t.Context(), session)
		if err != nil {
			t.Fatal(err)
		}
		if dead {
			return time.Since(began)
		}
		if time.Since(began) > 3*time.Hour {
			t.Fatal("it blocks for ever")
		}
		time.Sleep(recheck)
	}
}

// A judge finds a killed process dead in time, and never kills one that renews,
// whatever the clocks say.
func TestExpiry(t *testing.T) {
	type option = func(*wire, *lease.Config, *lease.JudgeConfig)
	for name, c := range map[string]struct {
		options []option
		watched bool          // by a watcher that was there before the death
		within  time.Duration // of the death, or of the watcher's coming
	}{
		"by the store's clock":                        {nil, true, 29 * time.Second},
		"by watching":                                 {[]option{noClock}, true, 29 * time.Second},
		"long ago, by the store's clock":              {nil, false, 12 * time.Second},
		"long ago, by watching":                       {[]option{noClock}, false, 25 * time.Second},
		"the store's clock is ten minutes ahead":      {[]option{clockOff(10 * time.Minute)}, true, 29 * time.Second},
		"the store's clock is ten minutes behind":     {[]option{clockOff(-10 * time.Minute)}, true, 29 * time.Second},
		"dated an hour ahead":                         {[]option{dated(time.Hour)}, true, 29 * time.Second},
		"dated an hour behind":                        {[]option{dated(-time.Hour)}, true, 29 * time.Second},
		"dated ahead, long ago":                       {[]option{dated(24 * time.Hour)}, false, 25 * time.Second},
		"on this host":                                {[]option{alive(vanished)}, true, time.Second},
		"its process runs but does not renew":         {[]option{alive(running)}, true, 29 * time.Second},
		"its process runs, dated an hour behind":      {[]option{alive(running), dated(-time.Hour)}, true, 29 * time.Second},
		"its process runs but ceased renewing before": {[]option{alive(running)}, false, 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newStore()
				owner, watcher := newProc(base), newProc(base, c.options...)
				ctx, _ := mustTake(t, owner)
				id := owner.session.ID()
				if c.watched && !isVanished(c.options) {
					for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
						dead, recheck, err := watcher.judge.Dead(t.Context(), id)
						if dead || err != nil || ctx.Err() != nil {
							t.Fatalf("killed while it renews: %v, %v", dead, err)
						}
						time.Sleep(recheck)
					}
				} else {
					time.Sleep(time.Minute + 100*time.Millisecond)
				}
				owner.kill()
				if !c.watched {
					time.Sleep(90 * time.Minute)
				}
				if took := diesWithin(t, watcher, id); took > c.within {
					t.Errorf("dead after %v, want %v", took, c.within)
				}
				mustClose(t, owner)
			})
		})
	}
}

// isVanished finds the one case in which the owner's process is gone from the start.
func isVanished(options []func(*wire, *lease.Config, *lease.JudgeConfig)) bool {
	var j lease.JudgeConfig
	for _, option := range options {
		option(new(wire), new(lease.Config), &j)
	}
	if j.Alive == nil {
		return false
	}
	alive, known := j.Alive("")
	return known && !alive
}

// A session does not die because it is asked about only once an hour.
func TestAskedSeldom(t *testing.T) {
	for _, clock := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			base := newStore()
			owner := newProc(base)
			watcher := newProc(base, func(w *wire, _ *lease.Config, _ *lease.JudgeConfig) { w.noClock = !clock })
			defer mustClose(t, owner)
			mustTake(t, owner)
			for range 10 {
				if isDead(t, watcher, owner.session.ID()) {
					t.Fatal("killed while it renews")
				}
				time.Sleep(time.Hour)
			}
		})
	}
}

// A renewal between judgement and sentence saves the session.
func TestRenewedInTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore())
		owner := newProc(p.Store)
		state := lease.SessionState{ID: "s", State: lease.Live, TTLSeconds: 24, RenewSeconds: 8}
		putSession(t, owner, "s", sealSession(t, state))
		isDead(t, p, "s")
		for range 4 {
			time.Sleep(23 * time.Second / 4)
			isDead(t, p, "s") // the last time, so that it is not read again below
		}
		time.Sleep(1100 * time.Millisecond)
		state.Renewal++
		renew := sync.OnceFunc(func() { putSession(t, owner, "s", sealSession(t, state)) })
		p.set(func(op, _ string) error {
			if op == "put" {
				renew()
			}
			return nil
		}, nil)
		if isDead(t, p, "s") {
			t.Fatal("killed though it renewed")
		}
		if n := p.count("put", true); n != 1 {
			t.Fatalf("%d sentences: the test tests nothing", n)
		}
		for range 4 {
			time.Sleep(5 * time.Second)
			if isDead(t, p, "s") {
				t.Error("killed before its time")
			}
		}
		time.Sleep(5 * time.Second)
		if !isDead(t, p, "s") {
			t.Error("not dead, though not renewed again")
		}
	})
}

// A process that renewed once more and then went is dead at the first asking.
func TestRenewedAndWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(newStore(), alive(vanished))
		owner := newProc(p.Store)
		state := lease.SessionState{ID: "s", State: lease.Live}
		putSession(t, owner, "s", sealSession(t, state))
		renew := sync.OnceFunc(func() { putSession(t, owner, "s", sealSession(t, state)) })
		p.set(func(op, _ string) error {
			if op == "put" {
				renew()
			}
			return nil
		}, nil)
		if !isDead(t, p, "s") {
			t.Error("a session without a process lives")
		}
	})
}

// A judge reports no death that it could not write down.
func TestDeathThatCannotBeWritten(t *testing.T) {
	p := newProc(newStore(), alive(vanished))
	putSession(t, p, "s", sealSession(t, lease.SessionState{ID: "s", State: lease.Live}))
	p.set(func(op, _ string) error {
		if op == "put" {
			return &blob.Error{Kind: blob.Denied}
		}
		return nil
	}, nil)
	if dead, _, err := p.judge.Dead(t.Context(), "s"); dead || !blob.Is(err, blob.Denied) {
		t.Errorf("dead %v, %v; want Denied", dead, err)
	}
	p.set(nil, func(op, _ string) error {
		if op == "put" {
			return errAck
		}
		return nil
	})
	if !isDead(t, p, "s") {
		t.Error("written down without an acknowledgement, and not believed")
	}
}

// Many that ask about one session cost two readings a second at most, also
// when the store fails.
func TestManyAskCheaply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		owner, p := newProc(base), newProc(base)
		defer mustClose(t, owner)
		mustTake(t, owner)
		id := owner.session.ID()
		ask := func() {
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					for range 100 {
						p.judge.Dead(t.Context(), id)
						time.Sleep(100 * time.Millisecond)
					}
				})
			}
			wg.Wait() // ten seconds
		}
		ask()
		if n := p.total(); n > 5 {
			t.Errorf("%d operations in ten seconds", n)
		}
		down := p.total()
		p.kill()
		ask()
		if n := p.total() - down; n > 21 {
			t.Errorf("%d operations in ten seconds on a store that fails", n)
		}
		p.set(nil, nil)
		time.Sleep(time.Second)
		if isDead(t, p, id) {
			t.Error("dead because the watcher could not see")
		}
	})
}

// If one caller stops asking, the answer for the others is still right.
func TestAskerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		owner, p := newProc(base), newProc(base)
		defer mustClose(t, owner)
		mustTake(t, owner)
		id := owner.session.ID()
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan struct{})
		p.set(func(op, _ string) error { <-answer; return ctx.Err() }, nil)
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, _, err := p.judge.Dead(ctx, id); first <- err }()
		synctest.Wait()
		go func() { _, _, err := p.judge.Dead(ctx, id); second <- err }()
		synctest.Wait()
		cancel()
		if err := <-second; err == nil {
			t.Error("who gave up got an answer")
		}
		p.set(nil, nil)
		close(answer)
		if err := <-first; err == nil {
			t.Error("who gave up got an answer")
		}
		if isDead(t, p, id) {
			t.Error("dead because somebody gave up asking")
		}
	})
}

// A process that is seen running gets all of its TTL, though the store's dates
// say that it is over.
func TestRunningProcessMissesARenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		owner, watcher := newProc(base), newProc(base, alive(running), dated(-time.Hour))
		defer mustClose(t, owner)
		mustTake(t, owner)
		owner.kill()
		for range 19 {
			if isDead(t, watcher, owner.session.ID()) {
				t.Fatal("killed before its TTL was over")
			}
			time.Sleep(time.Second)
		}
	})
}

// lagging is a store that shows an old state of a blob for a while, as NFS
// does.
type lagging struct {
	driver.Store
	data []byte
	info driver.Info
}

func (l *lagging) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if l.data == nil {
		body, info, err := l.Store.Get(ctx, key, part)
		if err != nil {
			return nil, info, err
		}
		defer body.Close()
		if l.data, err = io.ReadAll(body); err != nil {
			return nil, info, err
		}
		l.info = info
	}
	return io.NopCloser(bytes.NewReader(l.data)), l.info, nil
}

// A swap that fails says that the session was renewed, whatever is read.
func TestReadingsLagBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newStore()
		owner, watcher := newProc(base), newProc(&lagging{Store: base}, noClock)
		defer mustClose(t, owner)
		ctx, _ := mustTake(t, owner)
		for range 100 {
			if isDead(t, watcher, owner.session.ID()) {
				t.Fatal("killed while it renews")
			}
			time.Sleep(time.Second)
		}
		if n := watcher.count("put", true); n < 1 || n > 5 {
			t.Errorf("%d sentences in 100 s, want one for each TTL", n)
		}
		if ctx.Err() != nil {
			t.Error(context.Cause(ctx))
		}
	})
}

// If a session was not renewed because the store was away, it is not dead; and
// a watcher is often the first to reach the store again. A session that did die
// is found dead all the same.
//
// The kind of fault: an outage is taken for another process's failure.
func TestOutageIsNobodysDeath(t *testing.T) {
	all := func(op, key string) error { return errDown }
	puts := func(op, key string) error { // on a full disk, say
		if op == "put" {
			return errDown
		}
		return nil
	}
	for name, outage := range map[string]func(op, key string) error{"away": all, "away, and nobody asks": all, "takes no writes": puts} {
		for _, look := range []func(string) (bool, bool){unknown, running} {
			synctest.Test(t, func(t *testing.T) {
				base := newStore()
				owner, watcher := newProc(base), newProc(base, alive(look))
				defer mustClose(t, owner)
				mustTake(t, owner)
				id := owner.session.ID()
				ask := func(d time.Duration) (dead bool) {
					for began := time.Now(); time.Since(began) < d && !dead; time.Sleep(700 * time.Millisecond) {
						dead, _, _ = watcher.judge.Dead(t.Context(), id)
					}
					return dead
				}
				ask(30 * time.Second)
				owner.set(outage, nil)
				watcher.set(outage, nil)
				died := false
				if strings.Contains(name, "nobody asks") { // the watcher waits for the store elsewhere
					time.Sleep(5 * time.Minute)
				} else {
					died = ask(5 * time.Minute)
				}
				watcher.set(nil, nil)
				time.AfterFunc(4*time.Second, func() { owner.set(nil, nil) }) // it pauses between its tries
				if died = died || ask(time.Minute); died {
					t.Errorf("%s: killed by an outage", name)
				}
				owner.kill()
				if !ask(40 * time.Second) {
					t.Errorf("%s: dead after the outage, and not found so", name)
				}
				owner.set(nil, nil)
			})
		}
	}
}
