// Package sweep lets those who remove content that nobody refers to, and those
// who write such content over, take turns. Package source is on the one side,
// package gc on the other, package blob below.
//
// # The trouble
//
// Content lies under its hash. Who needs it and finds it old writes it over
// rather than relying on it; who sweeps removes what is old and named by no
// record. A store's delete has no condition. So a sweeper that finds a blob old
// may remove it a moment after somebody else has written it over, and relies on
// it.
//
// # The turns
//
// A sweeper removes blobs only while its mark is in the store, and looks at the
// age of each of them after it has put the mark. Who writes over an old blob, or
// finds that somebody else just did, then looks for a mark, waits until there is
// none or another one, and looks for the blob again:
//
//   - A turn whose mark was there, or had been there, is over. What it has removed
//     is found missing, and put anew.
//   - A mark that comes later comes after the write, and its sweeper, who looks
//     after that, finds the blob young.
//
// A sweeper that is killed leaves its mark behind, and one that was stopped might
// go on later. So a turn has a length, after which the sweeper's context ends,
// and others take it for over when three times that has passed. Only one mark is
// there at a time. What remains is a delete that the network holds back for
// longer than that; and for who finds the blob young in the moment between a write
// and the delete that it met with, that the writer dies before he puts it anew.
//
// Who finds a blob young, or puts one where there is none, needs no turn: what he
// relies on was not there, or not old, for a sweeper to see.
package sweep

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Key is where the mark of a sweeper lies.
const Key = "mops1-blobs/sweep"

const (
	turnLength = 10 * time.Second       // from before its mark is put
	surelyOver = 3 * turnLength         // and more than a second by which a store rounds its times
	pause      = 250 * time.Millisecond // between two looks at a mark
	endTimeout = 10 * time.Second       // of taking the mark away
)

// Turn waits until nobody else sweeps the store, and begins a turn. Blobs may be
// removed under the context that it returns, which ends by itself; end ends the
// turn early. What is removed must have been looked at in this turn.
func Turn(ctx context.Context, store *blob.Store) (turn context.Context, end func() error, err error) {
	var over blob.Version // a mark that was left behind, to be replaced
	for try := 1; ; try++ {
		turn, cancel := context.WithTimeout(ctx, turnLength)
		info, err := store.PutBytes(turn, Key, []byte(rand.Text()+"\n"), blob.PutOptions{IfAbsent: over == "", IfVersion: over})
		if err == nil {
			return turn, func() error { cancel(); return takeAway(ctx, store, info.Version) }, nil
		}
		cancel()
		if !blob.Is(err, blob.Exists) && !blob.Is(err, blob.Mismatch) {
			return nil, nil, err
		}
		if try == mostTries {
			return nil, nil, fmt.Errorf("the mark of who sweeps the store is taken each of %d times, by others who sweep, or by what is no mark; look whether others run mops gc, and at %s: %w", try, store.URI(Key), err)
		}
		if over, err = outlast(ctx, store); err != nil {
			return nil, nil, err
		}
		if over == "" { // now it is free
			if err := sleep(ctx, pause/10); err != nil {
				return nil, nil, err
			}
		}
	}
}

// mostTries is how often a sweeper finds that others were faster.
const mostTries = 100

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeAway removes a mark, unless the turn took so long that it is another's.
func takeAway(ctx context.Context, store *blob.Store, version blob.Version) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	info, err := store.Stat(ctx, Key)
	switch {
	case blob.Is(err, blob.NotFound), err == nil && info.Version != version:
		return nil
	case err != nil:
		return err
	}
	return store.Delete(ctx, Key)
}

// Wait returns when every turn is over that may have begun before it was called.
// It costs one look where nobody sweeps.
func Wait(ctx context.Context, store *blob.Store) error {
	_, err := outlast(ctx, store)
	return err
}

// outlast waits for the end of the turn that is under way. Left is the mark of a
// sweeper that went without taking it away.
func outlast(ctx context.Context, store *blob.Store) (left blob.Version, err error) {
	var mark blob.Info // the first that was seen
	began := time.Now()
	for {
		info, err := store.Stat(ctx, Key)
		switch {
		case blob.Is(err, blob.NotFound):
			return "", nil
		case err != nil:
			return "", err
		case mark.Version == "":
			mark = info
			if age, ok := age(ctx, store, mark); ok && age > surelyOver {
				return mark.Version, nil
			}
		case info.Version != mark.Version:
			return "", nil // somebody else's turn, which began after ours
		}
		if time.Since(began) > surelyOver {
			return mark.Version, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return "", err
		}
	}
}

// age is that of a blob by the store's own clock, where it tells one.
func age(ctx context.Context, store *blob.Store, info blob.Info) (age time.Duration, ok bool) {
	now, ok, err := store.Now(ctx)
	return now.Sub(info.ModTime), ok && err == nil
}
