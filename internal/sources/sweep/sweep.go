// Package sweep makes removing unreferenced content and writing it again take
// turns. Package gc removes, package source writes; package blob is below.
//
// # The problem
//
// Content lies under its hash. A writer that needs content and finds an old
// blob writes it again rather than relying on it. A sweeper removes blobs that
// are old and that no record names. But a store's delete has no condition. So a
// sweeper may find a blob old, and delete it a moment after a writer has
// written it again and relies on it.
//
// # The idea: turns
//
// A sweeper puts a mark into the store, and removes blobs only while the mark
// is there: after it has put the mark, it looks at the age of each blob once
// more, and then deletes. A writer that has written over an old blob, or finds
// that another writer just did, looks for a mark. It waits until there is none,
// or another one, and then looks for its blob again.
//
// # Why it is right
//
// Take a sweep and a write of the same blob:
//
//   - The mark was there, or had been there, when the writer looked for it. Then
//     the writer goes on when that turn is over. If the turn removed the blob,
//     the writer finds it missing and puts it again.
//   - The mark comes later. Then it also comes after the write, and the
//     sweeper, which looks at the blob after putting its mark, finds it young.
//
// A process that finds a blob young, or puts one where there is none, needs no
// turn: no sweeper could see that blob as old.
//
// A killed sweeper leaves its mark behind, and a suspended one might go on
// later. So a turn has a length, after which the sweeper's context ends; others
// take a turn for over when three times its length has passed. Only one mark is
// there at a time.
//
// # What remains
//
// Two things: a delete that the network holds back for longer than that; and a
// writer that dies after the sweeper deleted its blob and before it put it
// again, if a third process found the blob young in between and relies on it.
package sweep

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Key is where a sweeper's mark lies.
const Key = "mops1-blobs/sweep"

const (
	turnLength = 10 * time.Second       // counted from before its mark is put
	surelyOver = 3 * turnLength         // enough even if a store rounds times to a second
	pause      = 250 * time.Millisecond // between two looks at a mark
	endTimeout = 10 * time.Second       // for taking the mark away
)

// Turn waits until nobody else sweeps the store, and begins a turn. The caller
// may remove blobs under the returned context, which ends by itself; end ends
// the turn early. The caller must look at each blob in this turn before
// removing it.
func Turn(ctx context.Context, store *blob.Store) (turn context.Context, end func() error, err error) {
	var over blob.Version // a mark left behind, to be replaced
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
		if over == "" { // now the place is free
			if !sleep.For(ctx, pause/10) {
				return nil, nil, context.Cause(ctx)
			}
		}
	}
}

// mostTries is how often a sweeper tries while others are faster.
const mostTries = 100

// takeAway removes a mark, unless the turn took so long that the mark is
// another sweeper's.
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

// Wait returns when every turn is over that may have begun before the call. It
// costs one look if nobody sweeps.
func Wait(ctx context.Context, store *blob.Store) error {
	_, err := outlast(ctx, store)
	return err
}

// outlast waits for the end of the turn under way. If its sweeper left without
// taking its mark away, left is that mark.
func outlast(ctx context.Context, store *blob.Store) (left blob.Version, err error) {
	var mark blob.Info // the first mark seen
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
			return "", nil // another turn, which began after this call
		}
		if time.Since(began) > surelyOver {
			return mark.Version, nil
		}
		if !sleep.For(ctx, pause) {
			return "", context.Cause(ctx)
		}
	}
}

// age is the age of a blob by the store's own clock, if it tells one.
func age(ctx context.Context, store *blob.Store, info blob.Info) (age time.Duration, ok bool) {
	now, ok, err := store.Now(ctx)
	return now.Sub(info.ModTime), ok && err == nil
}
