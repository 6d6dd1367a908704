package lineage

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// How a call was made from another.
type How string

// The ways.
const (
	Called How = "called" // its function called the other
	Read   How = "read"   // a source in its input was read from the other's result
)

// Edge says that one call was made from another.
type Edge struct {
	Of, From string // names of calls
	How      How
	Source   record.SourceLocation // what was read
}

// Opener opens another root that a record names, for reading.
type Opener func(ctx context.Context, root string) (*blob.Store, error)

// Graph is what the records of a root say of its calls, and of those in other roots
// that they were made from.
type Graph struct {
	store      *blob.Store
	open       Opener // nil: other roots are not looked into
	mu         sync.Mutex
	others     map[string]*other // by root
	calls      map[string]*Call
	from, into map[string][]Edge // by Of, by From
	known      map[Edge]bool
}

// Call is what is known of a call.
func (g *Graph) Call(name string) *Call {
	if c := g.calls[name]; c != nil {
		return c
	}
	return named(name, gone)
}

// URI is the memo URI of a call with this name; of one in another root, without user
// and parameters.
func (g *Graph) URI(name string) string {
	if !strings.Contains(name, "://") {
		return g.store.URI(name)
	}
	return withoutSecrets(name)
}

// PlaceOf is where a source had a place of its own, without user and parameters; "" for
// one that is kept in the root.
func PlaceOf(s record.SourceLocation) string {
	if !strings.Contains(s.Location, "://") {
		return ""
	}
	return withoutSecrets(s.Location)
}

func withoutSecrets(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	scheme, rest, _ := strings.Cut(uri, "://")
	host, path, below := strings.Cut(rest, "/")
	host = host[strings.LastIndex(host, "@")+1:]
	if below {
		path = "/" + path
	}
	return scheme + "://" + host + path
}

// From is what a call was made from, in the order in which that happened, as far as it
// is known; sources come last.
func (g *Graph) From(name string) []Edge { return g.from[name] }

// Into is what was made from a call: who called it, by name, then who read its sources.
func (g *Graph) Into(name string) []Edge { return g.into[name] }

// sideBySide is how many calls are read at a time. On a service most of it is waiting.
const sideBySide = 32

// other is another root.
type other struct {
	once  sync.Once
	store *blob.Store
	why   string // it cannot be opened
}

// other opens another root, once.
func (g *Graph) other(ctx context.Context, root string) (store *blob.Store, why string) {
	if g.open == nil {
		return nil, elsewhere
	}
	g.mu.Lock()
	o := g.others[root]
	if o == nil {
		o = new(other)
		g.others[root] = o
	}
	g.mu.Unlock()
	o.once.Do(func() {
		var err error
		if o.store, err = g.open(ctx, root); err != nil {
			o.why = elsewhere + ", which cannot be opened: " + text.FirstLine(err.Error())
		}
	})
	return o.store, o.why
}

// close closes the other roots.
func (g *Graph) close() {
	for _, o := range g.others {
		if o.store != nil {
			o.store.Close()
		}
	}
}

// Back reads what a call was made from, and what that was made from, and so on. It
// reads no more than these calls. Looked counts them.
func Back(ctx context.Context, store *blob.Store, open Opener, name string, looked *atomic.Int64) (*Graph, error) {
	g := newGraph(store, open)
	defer g.close()
	if err := g.follow(ctx, []string{name}, looked); err != nil {
		return nil, err
	}
	g.link()
	return g, nil
}

// follow reads calls, and what they were made from.
func (g *Graph) follow(ctx context.Context, next []string, looked *atomic.Int64) error {
	for len(next) > 0 {
		calls, err := g.readAll(ctx, next, looked)
		if err != nil {
			return err
		}
		for _, c := range calls {
			g.calls[c.Name] = c
		}
		next = g.unread(slices.Values(calls))
	}
	return nil
}

// unread are the calls that some were made from and that were not read yet, as far as
// they can be.
func (g *Graph) unread(calls iter.Seq[*Call]) (names []string) {
	seen := map[string]bool{}
	for c := range calls {
		for _, name := range c.names() {
			if g.calls[name] != nil || seen[name] {
				continue
			}
			if why := named(name, "").Unknown; why == "" || why == elsewhere && g.open != nil {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// names are those of the calls that this one was made from.
func (c *Call) names() []string {
	names := slices.Clone(c.Made)
	for _, s := range c.Sources {
		if s.From != "" {
			names = append(names, s.From)
		}
	}
	return names
}

func (g *Graph) readAll(ctx context.Context, names []string, looked *atomic.Int64) ([]*Call, error) {
	calls := make([]*Call, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for i, name := range names {
		group.Go(func() (err error) {
			calls[i], err = g.read(ctx, name, there{true, true, true})
			looked.Add(1)
			return err
		})
	}
	return calls, group.Wait()
}

// Whole reads all calls of a root: two reads of a header for each; and those of other
// roots that they were made from. Looked counts them.
func Whole(ctx context.Context, store *blob.Store, open Opener, looked *atomic.Int64) (*Graph, error) {
	g := newGraph(store, open)
	defer g.close()
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(sideBySide)
	for listed, err := range explain.List(within, store, memokey.Format+"/") {
		if err != nil {
			group.Go(func() error { return err })
			break
		}
		if !listed.Folder || within.Err() != nil {
			continue
		}
		group.Go(func() error {
			c, err := g.read(within, listed.Path, there{listed.Result, listed.Error, listed.Invocation.Key != ""})
			if err != nil {
				return err
			}
			looked.Add(1)
			mu.Lock()
			defer mu.Unlock()
			g.calls[c.Name] = c
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var far []string
	for _, name := range g.unread(maps.Values(g.calls)) {
		if strings.Contains(name, "://") { // what else is not there now is gone
			far = append(far, name)
		}
	}
	slices.Sort(far)
	if err := g.follow(ctx, far, looked); err != nil {
		return nil, err
	}
	g.link()
	return g, nil
}

func newGraph(store *blob.Store, open Opener) *Graph {
	return &Graph{store: store, open: open, others: map[string]*other{}, calls: map[string]*Call{}, from: map[string][]Edge{}, into: map[string][]Edge{}, known: map[Edge]bool{}}
}

// link makes the edges. What a record lists, its function called, and no other; a
// caller that another record names is believed where the caller's own record lists
// nothing, or not all.
func (g *Graph) link() {
	names := make([]string, 0, len(g.calls))
	for name := range g.calls {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, made := range g.calls[name].Made {
			g.add(Edge{Of: name, From: made, How: Called})
		}
	}
	for _, name := range names {
		c := g.calls[name]
		if caller := g.calls[c.Caller]; c.Caller != "" && (caller == nil || caller.Unknown != "" || caller.MoreMade > 0) {
			g.add(Edge{Of: c.Caller, From: name, How: Called})
		}
	}
	for _, name := range names {
		for _, s := range g.calls[name].Sources {
			if s.From != "" {
				g.add(Edge{Of: name, From: s.From, How: Read, Source: s})
			}
		}
	}
}

func (g *Graph) add(e Edge) {
	if key := (Edge{Of: e.Of, From: e.From, How: e.How, Source: record.SourceLocation{Hash: e.Source.Hash}}); g.known[key] {
		return
	} else {
		g.known[key] = true
	}
	g.from[e.Of] = append(g.from[e.Of], e)
	g.into[e.From] = append(g.into[e.From], e)
}
