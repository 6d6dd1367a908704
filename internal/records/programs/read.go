package programs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Limits of what is read.
const (
	maxHead    = 4 << 20  // bytes of a head or an end
	maxSegment = 64 << 20 // bytes; a writer's are smaller than a quarter of it
	sideBySide = 16       // blobs that are read at a time
	patience   = 100      // lists that are made since a segment was replaced before it was read
	mostOfRun  = 200      // blobs of one run that a list of runs goes through before it skips the others
)

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
	lines  map[part]int     // that were read
}

// part is what segments of one writer that replace each other are: the latest has the
// lines of all.
type part struct{ worker, first string }

// Read reads a run whole. If there is none of this id, the error is [ErrNone].
func Read(ctx context.Context, store *blob.Store, id string) (*Run, error) {
	head, err := ReadHead(ctx, store, id)
	if err != nil {
		return nil, err
	}
	run := &Run{Head: head, store: store, states: map[string]State{}, seen: map[string]bool{}, lines: map[part]int{}}
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
	for gone, tries := true, 0; gone && tries < patience; tries++ {
		var more bool
		more, gone, err = r.update(ctx)
		if err != nil {
			return false, err
		}
		changed = changed || more
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
	r.State = Merged(states)
	slices.SortStableFunc(r.State.Open, func(a, b Open) int { return cmp.Compare(a.Asked, b.Asked) })
	return changed, nil
}

// update reads the segments that came, and reports whether one went meanwhile.
func (r *Run) update(ctx context.Context) (changed, gone bool, err error) {
	var keys []string
	for info, err := range r.store.List(ctx, folder(r.ID), "") {
		if err != nil {
			return false, false, err
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
		group.Go(func() (err error) { segments[i], err = readSegment(within, r.store, key, r.lines); return err })
	}
	if err := group.Wait(); err != nil {
		return false, false, err
	}
	for i, s := range segments {
		r.seen[keys[i]] = true
		if s.gone {
			gone = true
			continue
		}
		if s.state != nil {
			r.states[s.worker] = *s.state
		} else {
			r.Damaged++
		}
		for _, c := range s.calls[min(max(r.lines[s.part]-s.known, 0), len(s.calls)):] {
			if c == nil {
				r.Damaged++
				continue
			}
			r.Calls = append(r.Calls, *c)
		}
		r.lines[s.part] = max(r.lines[s.part], s.known+len(s.calls))
	}
	return len(keys) > 0, gone, nil
}

type segment struct {
	part
	gone  bool // replaced, or removed by gc
	state *State
	known int     // lines of calls that are known
	calls []*Call // of the further lines; nil where one is damaged
}

// readSegment reads a segment, but for the calls that are known of its part.
func readSegment(ctx context.Context, store *blob.Store, key string, known map[part]int) (s segment, err error) {
	s.worker, _ = segmentOf(key)
	s.first = numberOf(key)
	data, _, err := store.ReadUpTo(ctx, key, nil, maxSegment)
	switch {
	case blob.Is(err, blob.NotFound):
		s.gone = true
		return s, nil
	case blob.Is(err, blob.TooLarge), blob.Is(err, blob.Corrupt):
		return s, nil
	case err != nil:
		return s, err
	}
	first, rest, _ := bytes.Cut(data, []byte{'\n'})
	var state State
	if json.Unmarshal(first, &state) == nil {
		s.state = &state
		if state.Part > 0 {
			s.first = number(state.Part)
		}
	}
	s.known = known[s.part]
	n := 0
	for line := range bytes.Lines(rest) {
		if n++; n <= s.known {
			continue
		}
		var c *Call
		if json.Unmarshal(line, &c) != nil || c == nil {
			s.calls = append(s.calls, nil)
			continue
		}
		c.Error = Line(c.Error) // whoever wrote it
		for i := range c.Attempts {
			c.Attempts[i].Error = Line(c.Attempts[i].Error)
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
func ReadState(ctx context.Context, store *blob.Store, e Entry) (state State, end *End, err error) {
	for gone, tries := true, 0; gone && tries < patience; tries++ {
		if state, end, gone, err = readState(ctx, store, e); err != nil {
			return State{}, nil, err
		}
	}
	return state, end, nil
}

func readState(ctx context.Context, store *blob.Store, e Entry) (state State, end *End, gone bool, err error) {
	newest := map[string]string{} // keys by worker
	for info, err := range store.List(ctx, folder(e.ID)+segmentPrefix, "") {
		if err != nil {
			return State{}, nil, false, err
		}
		if worker, ok := segmentOf(info.Key); ok {
			newest[worker] = info.Key
		}
	}
	if end, err = ReadEnd(ctx, store, e.ID); err != nil {
		return State{}, nil, false, err
	}
	var states []State
	if end != nil {
		states = append(states, end.State)
		delete(newest, "")
	}
	workers := slices.Sorted(maps.Keys(newest))
	last := make([]segment, len(workers))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i, worker := range workers {
		group.Go(func() (err error) { last[i], err = readSegment(within, store, newest[worker], nil); return err })
	}
	if err := group.Wait(); err != nil {
		return State{}, nil, false, err
	}
	for _, s := range last {
		gone = gone || s.gone
		if s.state != nil {
			states = append(states, *s.state)
		}
	}
	return Merged(states), end, gone, nil
}
