package programs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// ErrNone says that there is no such run.
var ErrNone = errors.New("no such run")

// Entry is a run in a list.
type Entry struct {
	ID       string
	Ended    bool      // there is an end
	Begun    bool      // there is a head: without it a run is being removed
	Written  time.Time // when the newest part of it that the list saw was written, by the store's clock
	Segments int       // seen: of a long run not all
	Blobs    int       // seen
	Bytes    int64     // of those
}

// Live reports whether the run seems to go on, as [Run.Live] does.
func (e Entry) Live(now time.Time) bool { return !e.Ended && live(e.ID, e.Written, now) }

// List lists the runs in a store, newest first, by the names of their blobs alone.
// Of a run that has very many it does not look at all.
func List(ctx context.Context, store *blob.Store) ([]Entry, error) {
	return listUpTo(ctx, store, mostOfRun)
}

// Survey is List that looks at all blobs, and so knows what the runs take.
func Survey(ctx context.Context, store *blob.Store) ([]Entry, error) {
	return listUpTo(ctx, store, math.MaxInt)
}

func listUpTo(ctx context.Context, store *blob.Store, most int) ([]Entry, error) {
	var all []Entry
	for startAt := ""; ; {
		skipped, err := list(ctx, store, startAt, most, &all)
		if err != nil {
			return nil, err
		}
		if skipped == "" {
			break
		}
		startAt = skipped
	}
	for i, e := range all {
		if e.Segments < most || e.Ended {
			continue
		}
		for info, err := range store.List(ctx, folder(e.ID), "") { // for its newest segment
			if err != nil {
				return nil, err
			}
			if info.ModTime.After(e.Written) {
				all[i].Written = info.ModTime
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return strings.Compare(b.ID, a.ID) })
	return all, nil
}

// list goes through the blobs from a key on. When a run has very many it returns
// where to go on: behind its segments.
func list(ctx context.Context, store *blob.Store, startAt string, most int, all *[]Entry) (next string, err error) {
	for info, err := range store.List(ctx, Prefix, startAt) {
		if err != nil {
			return "", err
		}
		id, name, ok := strings.Cut(strings.TrimPrefix(info.Key, Prefix), "/")
		if !ok || !validID(id) {
			continue
		}
		if len(*all) == 0 || (*all)[len(*all)-1].ID != id {
			*all = append(*all, Entry{ID: id})
		}
		entry := &(*all)[len(*all)-1]
		entry.Blobs++
		entry.Bytes += info.Size
		if info.ModTime.After(entry.Written) {
			entry.Written = info.ModTime
		}
		switch _, isSegment := segmentOf(info.Key); {
		case isSegment:
			if entry.Segments++; entry.Segments == most {
				return endKey(id), nil
			}
		case name == "head.json":
			entry.Begun = true
		case name == "end.json":
			entry.Ended = true
		}
	}
	return "", nil
}

// validID tells the folder of a run from others that may lie there.
func validID(id string) bool { return !words.Minute(id).IsZero() }

// Find is the id of the run that a person names: an id, the beginning of one that
// no other run has, or "latest". If there is none, the error is [ErrNone].
func Find(ctx context.Context, store *blob.Store, name string) (id string, err error) {
	entries, err := List(ctx, store)
	if err != nil {
		return "", err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { return !e.Begun })
	if name == "latest" {
		return latest(ctx, store, entries)
	}
	var found []string
	for _, e := range entries {
		if e.ID == name {
			return name, nil
		}
		if strings.HasPrefix(e.ID, name) {
			found = append(found, e.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: %q in %s; mops runs lists those that there are", ErrNone, name, store.Root())
	case 1:
		return found[0], nil
	}
	const most = 5
	more := ""
	if len(found) > most {
		more = fmt.Sprintf(" and %d more", len(found)-most)
	}
	return "", fmt.Errorf("%q is the beginning of %s%s: name one of them", name, strings.Join(found[:min(len(found), most)], ", "), more)
}

// latest is the run that began last: ids tell the minute.
func latest(ctx context.Context, store *blob.Store, entries []Entry) (id string, err error) {
	if len(entries) == 0 {
		return "", fmt.Errorf("%w: no program has left a run in %s yet", ErrNone, store.Root())
	}
	var newest time.Time
	for _, e := range entries {
		if !words.Minute(e.ID).Equal(words.Minute(entries[0].ID)) {
			break
		}
		head, err := ReadHead(ctx, store, e.ID)
		switch {
		case errors.Is(err, ErrNone): // removed meanwhile
		case err != nil:
			return "", err
		case id == "" || head.Start.After(newest):
			id, newest = e.ID, head.Start
		}
	}
	if id == "" {
		return latest(ctx, store, entries[1:])
	}
	return id, nil
}
