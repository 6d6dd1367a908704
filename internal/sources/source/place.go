package source

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/TrilliantHealth/mops-go/blob"
)

// place is where some bytes lie: a blob in a store, or a file of this machine.
type place struct {
	store *blob.Store
	key   string
	path  string
}

// places finds out where a URI leads.
type places struct {
	log  *slog.Logger
	open func(ctx context.Context, uri string) (*blob.Store, error)

	opening turns
	mu      sync.Mutex
	roots   map[string]*blob.Store // by URI, as calls use them; not ours to close
	stores  map[string]*blob.Store // opened for explicit URIs; ours
}

// close closes the stores that places opened.
func (p *places) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, store := range p.stores {
		err = errors.Join(err, store.Close())
	}
	clear(p.stores)
	return err
}

// placeOf resolves an explicit URI: below the root of a known store it is a
// blob of that, file:// is a plain file, anything else a blob in a store opened
// at the URI's parent.
func (p *places) placeOf(ctx context.Context, uri string) (place, error) {
	if at, ok := p.inKnownStore(uri); ok {
		return at, blob.ValidKey(at.key)
	}
	if path, ok := filePath(uri); ok {
		return place{path: path}, nil
	}
	bare, query, hasQuery := strings.Cut(uri, "?")
	slash := strings.LastIndexByte(bare, '/')
	parent, key := bare[:slash], bare[slash+1:]
	if hasQuery {
		parent += "?" + query
	}
	store, err := p.opened(ctx, parent)
	if err != nil {
		return place{}, err
	}
	return place{store: store, key: key}, blob.ValidKey(key)
}

// placeOfObject is where an object's bytes are; it is empty if they are in
// memory, or if nobody knows.
func (p *places) placeOfObject(ctx context.Context, o *object) (place, error) {
	switch {
	case o.path != "":
		return place{path: o.path}, nil
	case o.uri != "":
		return p.placeOf(ctx, o.uri)
	}
	return place{store: o.store, key: o.key}, nil
}

// know makes a root known, so that URIs below it need no store of their own.
func (p *places) know(store *blob.Store) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roots[store.Root()] = store
}

func (p *places) inKnownStore(uri string) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(uri) - 1; i > 0; i-- {
		if uri[i] != '/' {
			continue
		}
		if store, ok := p.roots[uri[:i]]; ok {
			return place{store: store, key: uri[i+1:]}, true
		}
	}
	return place{}, false
}

// opened is the store at a URI, opened once.
func (p *places) opened(ctx context.Context, uri string) (*blob.Store, error) {
	done, err := p.opening.take(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer done()
	p.mu.Lock()
	store, ok := p.stores[uri]
	p.mu.Unlock()
	if ok {
		return store, nil
	}
	if store, err = p.open(ctx, uri); err != nil {
		return nil, err
	}
	store = blob.Retry(store, blob.RetryPolicy{Log: p.log})
	p.mu.Lock()
	p.stores[uri] = store
	p.mu.Unlock()
	return store, nil
}
