package explain

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Limits of a search.
const (
	// DefaultNewest is how many invocations are read, the newest ones.
	DefaultNewest = 200
	// largest is the size in bytes of an invocation that is still read.
	largest = 16 << 20
	// sideBySide is how many are read at a time.
	sideBySide = 16
)

// Search is what a look at the other calls of a function found.
type Search struct {
	Near     []Near         // closest first, then newest first
	Versions []VersionCount // newest first
	Calls    int            // of all versions, the one in question left out
	Looked   int            // of them were compared
	Whole    bool           // false where the time was up before all were listed
}

// Near is another call of the same function.
type Near struct {
	Place       memo.Place
	Call        Call
	HasResult   bool
	Modified    time.Time // of its invocation, by the store's clock
	Differences []Difference
}

// VersionCount says what one version of a function has.
type VersionCount struct {
	Version string    `json:"version"`
	Calls   int       `json:"calls"`
	Results int       `json:"results"`
	Newest  time.Time `json:"newest"` // of its blobs
}

// Find looks for the calls of a function in a pipeline that come closest to a
// call, in all versions. It reads the newest invocations, at most that many. If
// the context has a deadline, what was found until then is the answer; the
// error is the store's.
func Find(ctx context.Context, place memo.Place, call Call, most int) (Search, error) {
	if most <= 0 {
		most = DefaultNewest
	}
	s := Search{}
	candidates, err := s.scan(ctx, place, call, most)
	if err != nil {
		return s, err
	}
	s.compare(ctx, place.Store, call, candidates)
	slices.SortStableFunc(s.Near, func(a, b Near) int {
		return cmp.Or(cmp.Compare(len(a.Differences), len(b.Differences)), b.Modified.Compare(a.Modified))
	})
	slices.SortFunc(s.Versions, func(a, b VersionCount) int { return b.Newest.Compare(a.Newest) })
	return s, nil
}

// candidate is an invocation that may be read.
type candidate struct {
	path      string // of the call
	modified  time.Time
	hasResult bool
}

// scan lists the calls of the function and picks the newest. It takes half of
// the time that there is.
func (s *Search) scan(ctx context.Context, place memo.Place, call Call, most int) ([]*candidate, error) {
	until := time.Time{}
	if deadline, ok := ctx.Deadline(); ok {
		until = time.Now().Add(time.Until(deadline) / 2)
	}
	prefix := memokey.Format + "/" + call.Pipeline + "/" + call.Function + "@"
	versions := map[string]*VersionCount{}
	defer func() {
		for _, v := range versions {
			s.Versions = append(s.Versions, *v)
		}
	}()
	var picked []*candidate
	var folder string
	var last *candidate // of the folder
	for info, err := range place.Store.List(ctx, prefix, "") {
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, err
		}
		if !until.IsZero() && time.Now().After(until) {
			return newest(picked, most), nil
		}
		version, rest, _ := strings.Cut(info.Key[len(prefix):], "/")
		name, record, _ := strings.Cut(rest, "/")
		path := prefix + version + "/" + name
		if path == place.Path || record == "" {
			continue
		}
		v := versions[version]
		if v == nil {
			v = &VersionCount{Version: version}
			versions[version] = v
		}
		if path != folder {
			folder, last = path, nil
			s.Calls++
			v.Calls++
		}
		if info.ModTime.After(v.Newest) {
			v.Newest = info.ModTime
		}
		switch record { // in this order
		case "invocation":
			if info.Size <= largest {
				last = &candidate{path: path, modified: info.ModTime}
				if picked = append(picked, last); len(picked) >= 2*most+100 {
					picked = newest(picked, most)
				}
			}
		case "result":
			v.Results++
			if last != nil {
				last.hasResult = true
			}
		}
	}
	s.Whole = true
	return newest(picked, most), nil
}

// compare reads the candidates and compares each with the call. One that cannot
// be read, or not in time, is left out.
func (s *Search) compare(ctx context.Context, store *blob.Store, call Call, candidates []*candidate) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for _, c := range candidates {
		group.Go(func() error {
			other, err := memokey.Parse(c.path)
			if err != nil {
				return nil
			}
			at := memo.Place{Store: store, Path: c.path, Key: other.Key}
			read, err := Read(ctx, at)
			if err != nil {
				return nil
			}
			near := Near{Place: at, Call: read, HasResult: c.hasResult, Modified: c.modified, Differences: Compare(call, read)}
			mu.Lock()
			defer mu.Unlock()
			s.Looked++
			s.Near = append(s.Near, near)
			return nil
		})
	}
	group.Wait()
}

// newest keeps the n newest.
func newest(all []*candidate, n int) []*candidate {
	slices.SortFunc(all, func(a, b *candidate) int { return b.modified.Compare(a.modified) })
	return all[:min(len(all), n)]
}

// mostPipelines is in how many pipelines Elsewhere looks.
const mostPipelines = 50

// Elsewhere returns the other pipelines of the root that have a result of the
// very same call: the memo key does not depend on the pipeline.
func Elsewhere(ctx context.Context, place memo.Place, call Call) (pipelines []string) {
	looked := 0
	for pipeline, err := range Folders(ctx, place.Store, memokey.Format+"/") {
		if looked++; err != nil || looked > mostPipelines {
			return pipelines
		}
		if pipeline == call.Pipeline || memokey.ValidPipeline(pipeline) != nil {
			continue
		}
		result := memokey.Path(pipeline, call.Function, call.Version, place.Key) + "/result"
		if info, err := place.Store.Stat(ctx, result); err == nil && info.Size > 0 {
			pipelines = append(pipelines, pipeline)
		} else if err != nil && !blob.Is(err, blob.NotFound) {
			return pipelines
		}
	}
	return pipelines
}

// Folders yields the folders right below a prefix, which ends with a slash, in
// byte order, without a slash at the end. It costs one listing for each of them,
// however much they hold.
func Folders(ctx context.Context, store *blob.Store, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for from, more := "", true; more; {
			more = false
			for info, err := range store.List(ctx, prefix, from) {
				if err != nil {
					yield("", err)
					return
				}
				name, _, folder := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
				if !folder {
					continue
				}
				if !yield(name, nil) {
					return
				}
				from, more = prefix+name+"0", true // '0' is the next after '/'
				break
			}
		}
	}
}
