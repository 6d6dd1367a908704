package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// watch is what a judge knows of one session.
type watch struct {
	by    *Judge
	id    string
	asked time.Time // guarded by the judge's mu

	busy    gate // guards what follows, over store operations too
	dead    bool
	state   SessionState
	damaged bool
	info    blob.Info // of the blob at the last reading
	since   time.Time // since when the blob has not changed under our eyes
	looked  time.Time // when it was read last; zero if never
	err     error     // of that reading
	saw     time.Time // when it was last read with success
	mute    bool      // a write failed, and none was made since

	checked      time.Time // when we looked at the process last
	alive, known bool      // and what we saw
}

// judge sets dead, or returns an error if nothing can be said.
func (w *watch) judge(ctx context.Context) error {
	if w.dead {
		return nil
	}
	if w.looked.IsZero() || time.Since(w.looked) >= w.interval() {
		if err := w.look(ctx); err != nil {
			return err
		}
	}
	if w.err != nil {
		return w.err
	}
	const tries = 3 // the process may have renewed once more before it went
	for range tries {
		if w.dead {
			return nil
		}
		reason := w.reason(ctx)
		if reason == "" {
			return nil
		}
		if err := w.bury(ctx, reason); err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) look(ctx context.Context) error {
	state, info, err := ReadSession(ctx, w.by.store, w.id)
	if ctx.Err() != nil {
		return context.Cause(ctx) // this says nothing about the session
	}
	w.looked, w.err, w.damaged = time.Now(), nil, false
	switch {
	case err == nil && state.ID == w.id:
		w.state = state
		w.dead = state.State == Ended || state.State == Dead
	case err == nil || errors.Is(err, ErrDamaged):
		w.state, w.damaged = SessionState{}, true
	case blob.Is(err, blob.NotFound):
		w.dead = true
	default:
		w.err = err
		return err
	}
	// While the store is away, nobody can renew a session, and its owner needs
	// time to reach the store again. So if we did not see the blob for longer
	// than one renewal, for whatever reason, begin to watch anew: the store may
	// have been away, for us or for other work of this process.
	away := w.looked.Sub(w.saw) > w.state.renew()+slack
	if w.lookAtProcess(); w.mute && (w.alive || !w.known) {
		if w.err = w.tryToWrite(ctx); w.err != nil {
			return w.err
		}
		w.mute, away = false, true
	}
	if info.Version != w.info.Version || away {
		w.since = w.looked
	}
	w.info, w.saw = info, w.looked
	return nil
}

// reason says why the session is dead, or returns "".
func (w *watch) reason(ctx context.Context) string {
	if w.damaged {
		return "its blob is damaged"
	}
	if w.lookAtProcess(); w.known && !w.alive {
		return "its process is gone"
	}
	ttl, quiet := w.state.ttl(), time.Since(w.since)
	if quiet > ttl {
		return fmt.Sprintf("it was not renewed for %v", quiet.Round(time.Second))
	}
	// The store's clock can tell sooner that a session died before we came. But
	// dates may be wrong, so first see one renewal fail to come; and a process
	// that we see running gets all of its time.
	if w.known || quiet <= w.state.renew()+slack {
		return ""
	}
	now, ok, err := w.by.clock.read(ctx)
	if err != nil || !ok {
		return ""
	}
	if age := now.Sub(w.info.ModTime); age > ttl+slack {
		return fmt.Sprintf("it was not renewed for %v by the store's clock", age.Round(time.Second))
	}
	return ""
}

func (w *watch) lookAtProcess() {
	if w.checked.IsZero() || time.Since(w.checked) >= briefly {
		w.alive, w.known = w.by.config.Alive(w.state.Process)
		w.checked = time.Now()
	}
}

// bury writes the death into the session's blob. It sets dead unless the
// session was renewed meanwhile.
func (w *watch) bury(ctx context.Context, reason string) error {
	tomb := w.state
	tomb.ID, tomb.State, tomb.JudgedBy, tomb.Reason = w.id, Dead, w.by.config.Name, reason
	tomb.Renewal++
	tomb.Nonce, tomb.Waits = NewID(), nil
	data, err := record.Seal(record.KindSession, tomb, nil)
	if err != nil {
		return err
	}
	// Without patience: when the store is back, the owner may be, too.
	_, err = w.by.store.PutBytes(blob.Patient(ctx, blob.Patience{}), sessionKey(w.id), data, blob.PutOptions{IfVersion: w.info.Version})
	if err == nil {
		w.by.config.Log.Debug("session declared dead", "session", w.id, "process", w.state.Process, "reason", reason)
		w.dead = true
		return nil
	}
	if lookErr := w.look(ctx); lookErr != nil {
		return lookErr
	}
	if w.dead {
		return nil // by us after all, or by another judge
	}
	if blob.Is(err, blob.Mismatch) {
		w.since = time.Now() // renewed, though our reading may lag behind
		return nil
	}
	w.mute = true // perhaps on a full disk, where the owner could not renew it either
	return err
}

// tryToWrite finds out whether the store takes writes again, by a write that
// harms nobody.
func (w *watch) tryToWrite(ctx context.Context) error {
	key := driver.ScratchPrefix + "judge/" + NewID()
	if _, err := w.by.store.PutBytes(blob.Patient(ctx, blob.Patience{}), key, []byte(w.id), blob.PutOptions{}); err != nil {
		return err
	}
	w.by.store.Delete(ctx, key) // if this fails, gc removes it
	return nil
}

// interval is the time between two readings of the blob.
func (w *watch) interval() time.Duration {
	if w.err != nil || w.by.store.IsLocal() {
		return briefly
	}
	return min(max(w.state.ttl()/8, briefly), longest)
}

// recheck is when another judgement may find something new.
func (w *watch) recheck() time.Duration {
	if w.known {
		return briefly
	}
	return max(briefly, min(w.interval(), time.Until(w.since.Add(w.state.ttl()))))
}

// storeClock is the store's clock, read once a minute.
type storeClock struct {
	store *blob.Store

	busy gate
	told time.Time // by the store
	at   time.Time // by our monotonic clock, when the answer came
	none bool      // the store tells no time
}

// read returns the store's time or an earlier one, never a later one.
func (c *storeClock) read(ctx context.Context) (now time.Time, ok bool, err error) {
	if err := c.busy.lock(ctx); err != nil {
		return time.Time{}, false, err
	}
	defer c.busy.unlock()
	if c.none {
		return time.Time{}, false, nil
	}
	if c.at.IsZero() || time.Since(c.at) > time.Minute {
		told, ok, err := c.store.Now(ctx)
		if err != nil || !ok {
			c.none = !ok && err == nil
			return time.Time{}, false, err
		}
		c.told, c.at = told, time.Now()
	}
	return c.told.Add(time.Since(c.at)), true, nil
}
