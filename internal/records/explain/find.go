package explain

import (
	"cmp"
	"context"
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
	URI       string         `json:"uri"`       // of the call in question
	Calls     int            `json:"calls"`     // others of the function in the pipeline, of all versions
	Looked    int            `json:"looked"`    // of them were compared
	Versions  []VersionCount `json:"versions"`  // newest first
	Pipelines []string       `json:"pipelines"` // others that have a result of this very call
	Near      []Near         `json:"near"`      // closest first, then newest first
	Whole     bool           `json:"-"`         // false where the time was up before all were listed
}

// Near is another call of the same function.
type Near struct {
	URI         string       `json:"uri"`
	Version     string       `json:"version"`
	HasResult   bool         `json:"has_result"`
	Modified    time.Time    `json:"modified"` // of its invocation, by the store's clock
	Differences []Difference `json:"differences"`
}

// VersionCount says what one version of a function has.
type VersionCount struct {
	Version string    `json:"version"`
	Calls   int       `json:"calls"`
	Results int       `json:"results"`
	Newest  time.Time `json:"newest"` // of its blobs
}

// Find looks for the calls of a function in a pipeline that come closest to a
// call, in all versions, and for other pipelines that have its result. It reads the
// newest invocations, at most that many. If the context has a deadline, what was
// found until then is the answer; the error is the store's.
func Find(ctx context.Context, place memo.Place, call Call, most int) (Search, error) {
	if most <= 0 {
		most = DefaultNewest
	}
	s := Search{URI: place.URI(), Versions: []VersionCount{}, Near: []Near{}}
	candidates, err := s.scan(ctx, place, call, most)
	s.compare(ctx, place.Store, call, candidates)
	s.Pipelines = elsewhere(ctx, place, call)
	slices.SortStableFunc(s.Near, func(a, b Near) int {
		return cmp.Or(cmp.Compare(len(a.Differences), len(b.Differences)), b.Modified.Compare(a.Modified))
	})
	slices.SortFunc(s.Versions, func(a, b VersionCount) int { return b.Newest.Compare(a.Newest) })
	return s, err
}

// scan lists the calls of the function and picks those with the newest invocations. It
// takes half of the time that there is.
func (s *Search) scan(ctx context.Context, place memo.Place, call Call, most int) ([]Listed, error) {
	until := time.Time{}
	if deadline, ok := ctx.Deadline(); ok {
		until = time.Now().Add(time.Until(deadline) / 2)
	}
	prefix := memokey.Format + "/" + call.Pipeline + "/" + call.Function + "@"
	var picked []Listed
	for c, err := range List(ctx, place.Store, prefix) {
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return nil, err
		case !until.IsZero() && time.Now().After(until):
			return newest(picked, most), nil
		case c.Path == place.Path || !c.Folder:
			continue
		}
		version, _, _ := strings.Cut(c.Path[len(prefix):], "/")
		if n := len(s.Versions); n == 0 || s.Versions[n-1].Version != version {
			s.Versions = append(s.Versions, VersionCount{Version: version})
		}
		v := &s.Versions[len(s.Versions)-1]
		s.Calls++
		v.Calls++
		if c.Result {
			v.Results++
		}
		if c.Newest.After(v.Newest) {
			v.Newest = c.Newest
		}
		if c.Invocation.Key != "" && c.Invocation.Size <= largest {
			if picked = append(picked, c); len(picked) >= 2*most+100 {
				picked = newest(picked, most)
			}
		}
	}
	s.Whole = true
	return newest(picked, most), nil
}

// compare reads the candidates and compares each with the call. One that cannot
// be read, or not in time, is left out.
func (s *Search) compare(ctx context.Context, store *blob.Store, call Call, candidates []Listed) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for _, c := range candidates {
		group.Go(func() error {
			other, err := memokey.Parse(c.Path)
			if err != nil {
				return nil
			}
			at := memo.Place{Store: store, Path: c.Path, Key: other.Key}
			read, err := Read(ctx, at)
			if err != nil {
				return nil
			}
			near := Near{at.URI(), read.Version, c.Result, c.Invocation.ModTime, Compare(call, read)}
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
func newest(all []Listed, n int) []Listed {
	slices.SortFunc(all, func(a, b Listed) int { return b.Invocation.ModTime.Compare(a.Invocation.ModTime) })
	return all[:min(len(all), n)]
}

// mostPipelines is in how many pipelines elsewhere looks.
const mostPipelines = 50

// elsewhere returns the other pipelines of the root that have a result of the
// very same call: the memo key does not depend on the pipeline.
func elsewhere(ctx context.Context, place memo.Place, call Call) []string {
	pipelines, looked := []string{}, 0
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
