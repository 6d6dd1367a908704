package page

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// index is what a root holds, as far as a list of its blobs says it.
type index struct {
	store  *blob.Store
	listed atomic.Int64 // calls so far, of the list that is being made
	background[[]indexed]
}

func newIndex(store *blob.Store) *index {
	x := &index{store: store}
	x.look = x.list
	return x
}

// indexed is one function in one pipeline.
type indexed struct {
	Folder   string // mops1/<pipeline>/<name>@<version>
	Calls    int64
	Results  int64
	Failed   int64 // have an error and no result
	Bytes    int64
	Newest   time.Time
	Indexed  []indexedCall // of at most mostIndexed, newest first
	Pipeline string
	Name     string // name@version
}

// indexedCall is a call in a list.
type indexedCall struct {
	key    memokey.Key
	newest int64 // seconds since 1970
	bytes  int64
	state  listedState
}

type listedState byte

const (
	hasResult  listedState = 'r'
	hasError   listedState = 'e'
	hasNeither listedState = 'n' // it may be under way
)

const (
	mostIndexed = 200_000          // calls of a function that a list of them has
	staleAfter  = 10 * time.Second // at least; a list that takes long is made less often
)

func (x *index) list(ctx context.Context) ([]indexed, error) {
	var functions []indexed
	x.listed.Store(0)
	for c, err := range explain.List(ctx, x.store, memokey.Format+"/") {
		if err != nil {
			return nil, err
		}
		call, err := memokey.Parse(c.Path)
		if !c.Folder || err != nil {
			continue
		}
		folder := c.Path[:strings.LastIndexByte(c.Path, '/')]
		if n := len(functions); n == 0 || functions[n-1].Folder != folder {
			functions = append(functions, indexed{Folder: folder, Pipeline: call.Pipeline, Name: call.Name + "@" + call.Version})
		}
		functions[len(functions)-1].add(c, call.Key)
		x.listed.Add(1)
	}
	for i := range functions {
		functions[i].cut(mostIndexed)
	}
	return functions, nil
}

func (f *indexed) add(c explain.Listed, key memokey.Key) {
	f.Calls++
	f.Bytes += c.Bytes
	state := hasNeither
	switch {
	case c.Result:
		state = hasResult
		f.Results++
	case c.Error:
		state = hasError
		f.Failed++
	}
	if c.Newest.After(f.Newest) {
		f.Newest = c.Newest
	}
	f.Indexed = append(f.Indexed, indexedCall{key, c.Newest.Unix(), c.Bytes, state})
	if len(f.Indexed) >= 2*mostIndexed {
		f.cut(mostIndexed)
	}
}

// cut keeps the newest calls.
func (f *indexed) cut(most int) {
	slices.SortStableFunc(f.Indexed, func(a, b indexedCall) int { return cmp.Compare(b.newest, a.newest) })
	f.Indexed = f.Indexed[:min(len(f.Indexed), most)]
}

// snapshot is what is known of the functions.
type snapshot struct {
	found[[]indexed]
	listed int64
}

// now is what is known. Before the first list is whole it waits for that, for a moment.
func (x *index) now(ctx context.Context, behind *backstage) snapshot {
	f := x.get(ctx, behind, staleAfter, firstLook, 0)
	return snapshot{f, x.listed.Load()}
}

// find is the function with that folder.
func (s snapshot) find(folder string) (indexed, bool) {
	i := slices.IndexFunc(s.value, func(f indexed) bool { return f.Folder == folder })
	if i < 0 {
		return indexed{}, false
	}
	return s.value[i], true
}

func (c indexedCall) words() string { return words.Three(c.key[:]) }
