package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

const (
	firstRetry = 250 * time.Millisecond // after a failed renewal
	endTries   = 3

	// announceIn is how soon a renewal follows an announcement, and takes along
	// others made meanwhile.
	announceIn = 500 * time.Millisecond
)

// run renews the session until the context ends or the session is lost.
func (l *life) run(ctx context.Context) {
	defer l.silence.Stop()
	retry := firstRetry
	began := time.Time{} // of this renewal's first try
	for wait := l.renew; l.sleep(ctx, wait); {
		if began.IsZero() {
			began = time.Now()
		}
		err := l.tryWrite(ctx)
		switch {
		case err == nil:
			l.silence.Reset(time.Until(began.Add(l.patience())))
			l.lookAtOne(ctx)
			l.payDebts(ctx)
			wait = max(0, time.Until(began.Add(l.renew)))
			retry, began = firstRetry, time.Time{}
		case errors.Is(err, ErrLost):
			l.lose(err)
			return
		default:
			l.log.Debug("session not renewed", "session", l.id, "err", err)
			wait = retry
			retry = min(2*retry, l.renew/2)
		}
	}
}

// tryWrite is write, but does not wait for ever for a store that hangs.
func (l *life) tryWrite(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(driver.Urgent(ctx), l.renew/2)
	defer cancel()
	return l.write(ctx, Live)
}

// draft is a write of the session that may have reached the store.
type draft struct {
	state SessionState
	data  []byte
}

// write swaps the session's blob, or makes it. All tries of one renewal write
// the same bytes, so it does not matter which of them arrives. The error is
// ErrLost if a judge declared the session dead; any other is worth another try.
func (l *life) write(ctx context.Context, state string) error {
	if n := len(l.drafts); n == 0 || l.drafts[n-1].state.State != state {
		next := l.state
		next.State, next.Nonce, next.Waits = state, NewID(), l.waits.list()
		next.Renewal++
		data, err := record.Seal(record.KindSession, next, nil)
		if err != nil {
			return err
		}
		l.drafts = append(l.drafts, draft{next, data})
	}
	current := l.drafts[len(l.drafts)-1]
	info, err := l.store.PutBytes(ctx, l.key, current.data, blob.PutOptions{IfAbsent: l.version == "", IfVersion: l.version})
	if err == nil {
		l.written(current, info.Version)
		return nil
	}
	if !blob.Is(err, blob.Mismatch) && !blob.Is(err, blob.Exists) {
		return err
	}
	return l.reread(ctx, current, err)
}

// isForeign reports whether a newer mops wrote the blob.
func isForeign(err error) bool {
	_, foreign := errors.AsType[*record.FormatError](err)
	return foreign
}

func (l *life) written(d draft, version blob.Version) {
	l.state, l.version, l.drafts = d.state, version, nil
}

// reread finds out why a swap failed: either an earlier try of ours has arrived
// after all, or a judge declared the session dead.
func (l *life) reread(ctx context.Context, current draft, failure error) error {
	found, info, err := ReadSession(ctx, l.store, l.id)
	switch {
	case blob.Is(err, blob.NotFound):
		return fmt.Errorf("%w: the blob of session %s is gone", ErrLost, l.id)
	case errors.Is(err, ErrDamaged):
		l.version = info.Version // no judge wrote that: the next try writes over it
		return failure
	case isForeign(err):
		return fmt.Errorf("%w: %w", ErrLost, err)
	case err != nil:
		return err
	case found.Nonce == current.state.Nonce:
		l.written(current, info.Version)
		return nil
	case slices.ContainsFunc(l.drafts, func(d draft) bool { return d.state.Nonce == found.Nonce }):
		l.version = info.Version // the next try goes on from there
		return failure
	}
	return fmt.Errorf("%w: session %s was declared dead by %s: %s", ErrLost, l.id, found.JudgedBy, found.Reason)
}

// end tells others that the session is over.
func (l *life) end(ctx context.Context) error {
	var err error
	for range endTries {
		err = l.write(ctx, Ended)
		if err == nil || errors.Is(err, ErrLost) {
			return nil // over either way
		}
		if !sleep.For(ctx, firstRetry) {
			break
		}
	}
	return fmt.Errorf("ending session %s (others wait %v for it to expire): %w", l.id, l.ttl, err)
}

// sleep pauses before a renewal; an announcement cuts it short.
func (l *life) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	case <-l.waits.news:
		return sleep.For(ctx, min(d, announceIn))
	}
}
