package programs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Limits of what is read.
const (
	maxHead    = 4 << 20  // bytes of a head or an end
	maxSegment = 64 << 20 // bytes; a writer's are smaller than a quarter
	sideBySide = 16       // blobs that are read at a time
	mostOfRun  = 200      // blobs of one run that a list of runs goes through before it skips the others
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

// ReadHead reads the head of a run.
func ReadHead(ctx context.Context, store *blob.Store, id string) (head Head, err error) {
	found, err := readInto(ctx, store, headKey(id), &head)
	switch {
	case err != nil:
		return head, err
	case !found:
		return head, fmt.Errorf("%w: %s in %s", ErrNone, id, store.Root())
	case head.Format > Format:
		return head, fmt.Errorf("%s is of format %d and this mops reads formats up to %d: use a newer one", store.URI(headKey(id)), head.Format, Format)
	}
	head.ID = id
	return head, nil
}

// ReadEnd reads how a run ended; nil if it has not.
func ReadEnd(ctx context.Context, store *blob.Store, id string) (*End, error) {
	var end End
	found, err := readInto(ctx, store, endKey(id), &end)
	if err != nil || !found {
		return nil, err
	}
	return &end, nil
}

// readInto reads a blob of JSON.
func readInto(ctx context.Context, store *blob.Store, key string, v any) (found bool, err error) {
	data, _, err := store.ReadUpTo(ctx, key, nil, maxHead)
	if blob.Is(err, blob.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("%s is damaged: %w", store.URI(key), err)
	}
	return true, nil
}

// Run is a run as far as it was read. It is for one goroutine at a time.
type Run struct {
	Head
	Ended   *End      // nil while it runs, and if it was killed
	State   State     // of all its processes together
	Calls   []Call    // that are listed, in the order in which processes wrote them
	Written time.Time // when the newest part was written, by the store's clock
	Damaged int       // lines and segments that could not be read

	store  *blob.Store
	states map[string]State // the newest by worker
	seen   map[string]bool  // segments
}

// Read reads a run whole. If there is none of this id, the error is [ErrNone].
func Read(ctx context.Context, store *blob.Store, id string) (*Run, error) {
	head, err := ReadHead(ctx, store, id)
	if err != nil {
		return nil, err
	}
	run := &Run{Head: head, store: store, states: map[string]State{}, seen: map[string]bool{}}
	_, err = run.Update(ctx)
	return run, err
}

// Live reports whether the run seems to go on at the moment now by the store's
// clock: it has no end, and its next segment is not long overdue.
func (r *Run) Live(now time.Time) bool {
	if r.Ended != nil {
		return false
	}
	return live(r.ID, r.Written, now)
}

func live(id string, written, now time.Time) bool {
	return now.Sub(written) < Overdue(written.Sub(words.Minute(id)))
}

// Update reads what came since the last time, and reports whether that was anything.
func (r *Run) Update(ctx context.Context) (changed bool, err error) {
	var keys []string
	for info, err := range r.store.List(ctx, folder(r.ID), "") {
		if err != nil {
			return false, err
		}
		if info.ModTime.After(r.Written) {
			r.Written = info.ModTime
		}
		if _, ok := segmentOf(info.Key); ok && !r.seen[info.Key] {
			keys = append(keys, info.Key)
		}
	}
	// The list is in byte order, which is the order of numbers within each worker.
	segments := make([]segment, len(keys))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i, key := range keys {
		group.Go(func() (err error) { segments[i], err = readSegment(within, r.store, key); return err })
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	for i, s := range segments {
		worker, _ := segmentOf(keys[i])
		r.seen[keys[i]] = true
		r.Calls = append(r.Calls, s.calls...)
		r.Damaged += s.damaged
		if s.state != nil {
			r.states[worker] = *s.state
		}
	}
	if r.Ended == nil {
		if r.Ended, err = ReadEnd(ctx, r.store, r.ID); err != nil {
			return false, err
		}
		if r.Ended != nil {
			r.states[""] = r.Ended.State
			changed = true
		}
	}
	var states []State
	for _, worker := range slices.Sorted(maps.Keys(r.states)) {
		states = append(states, r.states[worker])
	}
	r.State = merged(states)
	slices.SortStableFunc(r.State.Open, func(a, b Open) int { return cmp.Compare(a.Asked, b.Asked) })
	return changed || len(keys) > 0, nil
}

type segment struct {
	state   *State
	calls   []Call
	damaged int
}

func readSegment(ctx context.Context, store *blob.Store, key string) (s segment, err error) {
	data, _, err := store.ReadUpTo(ctx, key, nil, maxSegment)
	switch {
	case blob.Is(err, blob.NotFound): // gc was here
		return s, nil
	case blob.Is(err, blob.TooLarge), blob.Is(err, blob.Corrupt):
		return segment{damaged: 1}, nil
	case err != nil:
		return s, err
	}
	first, rest, _ := bytes.Cut(data, []byte{'\n'})
	var state State
	if json.Unmarshal(first, &state) == nil {
		s.state = &state
	} else {
		s.damaged++
	}
	for line := range bytes.Lines(rest) {
		var c Call
		if json.Unmarshal(line, &c) != nil {
			s.damaged++
			continue
		}
		s.calls = append(s.calls, c)
	}
	return s, nil
}

// Remove removes a run, its head last: what is left of it after a break is no run
// any more, but the next sweep finds it. It calls removed with the size of each blob.
func Remove(ctx context.Context, store *blob.Store, id string, removed func(bytes int64)) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	remove := func(info blob.Info) error {
		err := store.Delete(within, info.Key)
		if err == nil {
			removed(info.Size)
		}
		return err
	}
	var head *blob.Info
	for info, err := range store.List(ctx, folder(id), "") {
		switch {
		case err != nil:
			return errors.Join(group.Wait(), err)
		case info.Key == headKey(id):
			head = &info
		default:
			group.Go(func() error { return remove(info) })
		}
	}
	if err := group.Wait(); err != nil || head == nil {
		return err
	}
	within = ctx
	return remove(*head)
}

// ReadState reads what a run counted, without its calls: all that is known at its
// end, or, while it goes on, what its processes last wrote.
func ReadState(ctx context.Context, store *blob.Store, e Entry) (State, *End, error) {
	newest := map[string]string{} // keys by worker
	for info, err := range store.List(ctx, folder(e.ID)+segmentPrefix, "") {
		if err != nil {
			return State{}, nil, err
		}
		if worker, ok := segmentOf(info.Key); ok {
			newest[worker] = info.Key
		}
	}
	end, err := ReadEnd(ctx, store, e.ID)
	if err != nil {
		return State{}, nil, err
	}
	var states []State
	if end != nil {
		states = append(states, end.State)
		delete(newest, "")
	}
	for _, worker := range slices.Sorted(maps.Keys(newest)) {
		s, err := readSegment(ctx, store, newest[worker])
		if err != nil {
			return State{}, end, err
		}
		if s.state != nil {
			states = append(states, *s.state)
		}
	}
	return merged(states), end, nil
}
