package page

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// index is what a root holds, as far as a list of its blobs says it. It is made in
// the background, and anew when it is asked for and old.
type index struct {
	store *blob.Store

	mu        sync.Mutex
	listing   bool
	done      chan struct{} // closed when that list is made
	listed    int64         // blobs of calls so far, of the list that is being made
	functions []indexed     // of the last list
	at        time.Time     // when that was begun; zero before the first
	took      time.Duration
	err       error
	group     sync.WaitGroup
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

// start has the index made if it is not there or old. The context is the server's.
func (x *index) start(ctx context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.listing || ctx.Err() != nil || !x.at.IsZero() && time.Since(x.at) < max(staleAfter, 10*x.took) {
		return
	}
	x.listing, x.listed, x.done = true, 0, make(chan struct{})
	x.group.Go(func() { x.list(ctx) })
}

// wait returns when no list is being made any more.
func (x *index) wait() { x.group.Wait() }

func (x *index) list(ctx context.Context) {
	began := time.Now()
	var functions []indexed
	var err error
	for c, listErr := range explain.List(ctx, x.store, memokey.Format+"/") {
		if err = listErr; err != nil {
			break
		}
		call, parseErr := memokey.Parse(c.Path)
		if !c.Folder || parseErr != nil {
			continue
		}
		folder := c.Path[:strings.LastIndexByte(c.Path, '/')]
		if n := len(functions); n == 0 || functions[n-1].Folder != folder {
			functions = append(functions, indexed{Folder: folder, Pipeline: call.Pipeline, Name: call.Name + "@" + call.Version})
		}
		functions[len(functions)-1].add(c, call.Key)
		x.mu.Lock()
		x.listed++
		x.mu.Unlock()
	}
	for i := range functions {
		functions[i].cut(mostIndexed)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	defer close(x.done)
	x.listing, x.err = false, err
	if err == nil {
		x.functions, x.at, x.took = functions, began, time.Since(began)
	}
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

// snapshot is what is known. Nothing in it changes any more.
type snapshot struct {
	functions []indexed
	at        time.Time // zero before the first list is whole
	listing   bool
	listed    int64
	err       error
}

// within returns what is known; before the first list is whole it waits for it, for
// at most so long.
func (x *index) within(ctx context.Context, wait time.Duration) snapshot {
	x.mu.Lock()
	first, done := x.at.IsZero() && x.listing, x.done
	x.mu.Unlock()
	if first {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return snapshot{x.functions, x.at, x.listing, x.listed, x.err}
}

// find is the function with that folder.
func (s snapshot) find(folder string) (indexed, bool) {
	i := slices.IndexFunc(s.functions, func(f indexed) bool { return f.Folder == folder })
	if i < 0 {
		return indexed{}, false
	}
	return s.functions[i], true
}

func (c indexedCall) words() string { return words.Three(c.key[:]) }
