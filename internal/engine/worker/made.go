package worker

import (
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Who made which call. A call that keeps no records (with Off) cannot be named in
// those of others, so what it makes counts as made by its own caller.

// calls are the calls that a function made: each once, as far as they are listed.
type calls struct {
	places []memo.Place
	listed map[string]*blob.Store // by memo path, which is shorter to hash than a place
	more   int
}

// kept is the innermost call of the chain that has records; nil if none has.
func (r *Running) kept() *Running {
	for r != nil && r.place.Store == nil {
		r = r.within
	}
	return r
}

// NameIn is what the records of a call name this one by, as their caller. It is ""
// outside of a run.
func (r *Running) NameIn(store *blob.Store) string {
	if r = r.kept(); r == nil {
		return ""
	}
	return r.place.NameIn(store)
}

// Makes notes that the function has made a call, which may have failed. Outside of a run
// it does nothing.
func (r *Running) Makes(call memo.Place) {
	if r == nil || call.Store == nil {
		return
	}
	if r = r.kept(); r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch m := &r.made; {
	case m.listed[call.Path] == call.Store:
	case len(m.places) == record.MostMade:
		m.more++
	default:
		if m.listed == nil {
			m.listed = map[string]*blob.Store{}
		}
		m.listed[call.Path] = call.Store
		m.places = append(m.places, call)
	}
}

// madeCalls names the calls for a record in a store, and counts those that are not listed.
func (r *Running) madeCalls(store *blob.Store) (names []string, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, place := range r.made.places {
		names = append(names, place.NameIn(store))
	}
	return names, r.made.more
}
