package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/filehash"
)

// place is where some bytes lie: a blob in a store, or a file of this machine.
type place struct {
	store *blob.Store
	key   string
	path  string
}

// placeOf resolves an explicit URI: below the root of a store that is known it
// is a blob of that, file:// is a plain file, anything else a blob in the store
// that is opened on what is above it.
func (f *Files) placeOf(ctx context.Context, uri string) (place, error) {
	if at, ok := f.inKnownStore(uri); ok {
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
	store, err := f.opened(ctx, parent)
	if err != nil {
		return place{}, err
	}
	return place{store: store, key: key}, blob.ValidKey(key)
}

// placeOfObject is where an object's bytes are; nothing is set where they are in
// memory, or nobody knows.
func (f *Files) placeOfObject(ctx context.Context, o *object) (place, error) {
	switch {
	case o.path != "":
		return place{path: o.path}, nil
	case o.uri != "":
		return f.placeOf(ctx, o.uri)
	}
	return place{store: o.store, key: o.key}, nil
}

// know makes a root known, so that URIs below it need no store of their own.
func (f *Files) know(store *blob.Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roots[store.Root()] = store
}

func (f *Files) inKnownStore(uri string) (place, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(uri) - 1; i > 0; i-- {
		if uri[i] != '/' {
			continue
		}
		if store, ok := f.roots[uri[:i]]; ok {
			return place{store: store, key: uri[i+1:]}, true
		}
	}
	return place{}, false
}

// opened is the store at a URI, opened once.
func (f *Files) opened(ctx context.Context, uri string) (*blob.Store, error) {
	done, err := f.turns.take(ctx, "open "+uri)
	if err != nil {
		return nil, err
	}
	defer done()
	f.mu.Lock()
	store, ok := f.stores[uri]
	f.mu.Unlock()
	if ok {
		return store, nil
	}
	if store, err = f.open(ctx, uri); err != nil {
		return nil, err
	}
	store = blob.Retry(store, blob.RetryPolicy{Log: f.log})
	f.mu.Lock()
	f.stores[uri] = store
	f.mu.Unlock()
	return store, nil
}

// findRemote says what lies at a URI now. Its content is read once per version of
// it, if the store does not tell the hash.
func (f *Files) findRemote(ctx context.Context, uri string) (*content, error) {
	return f.share(ctx, uri, func() (*content, error) { return f.askRemote(ctx, uri) })
}

func (f *Files) askRemote(ctx context.Context, uri string) (*content, error) {
	at, err := f.placeOf(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", uri, err)
	}
	info, err := at.store.Stat(ctx, at.key)
	if err != nil {
		return nil, remoteError(uri, err)
	}
	var sum Hash
	known := info.SHA256 != "" && sum.UnmarshalText([]byte(info.SHA256)) == nil
	if !known {
		sum, known = f.hashes.Known(remoteName(uri, info))
	}
	if !known {
		if sum, info, err = f.hashRemote(ctx, at); err != nil {
			return nil, remoteError(uri, err)
		}
		// The versions of a store in memory mean nothing to the next process.
		f.hashes.Learn(remoteName(uri, info), sum, !strings.HasPrefix(uri, "mem:"))
	}
	return &content{
		id:   Identity{Kind: KindFile, Hash: sum, Size: info.Size},
		file: object{sum: sum, size: info.Size, uri: uri},
	}, nil
}

func (f *Files) hashRemote(ctx context.Context, at place) (Hash, blob.Info, error) {
	ctx, done, err := f.slotsFor(at.store).take(ctx)
	if err != nil {
		return Hash{}, blob.Info{}, err
	}
	defer done()
	var sum Hash
	var info blob.Info
	err = f.twice(ctx, at, func() error {
		body, found, err := at.store.Get(ctx, at.key, blob.Range{})
		if err != nil {
			return err
		}
		defer body.Close()
		var size int64
		if sum, size, err = filehash.Of(ctx, body); err == nil && size != found.Size {
			err = fmt.Errorf("%w: %d of %d bytes came", io.ErrUnexpectedEOF, size, found.Size)
		}
		info = found
		return err
	})
	return sum, info, err
}

func remoteError(uri string, err error) error {
	if blob.Is(err, blob.NotFound) {
		return fmt.Errorf("source %s: there is no such file: check the URI: %w", uri, err)
	}
	if errors.Is(err, os.ErrPermission) || blob.Is(err, blob.Denied) {
		return fmt.Errorf("source %s: it may not be read: %w", uri, err)
	}
	return fmt.Errorf("source %s: %w", uri, err)
}

// remoteName tells one version of what is at a URI from all others.
func remoteName(uri string, info blob.Info) string {
	return fmt.Sprintf("blob\x00%s\x00%s\x00%d\x00%d", uri, info.Version, info.Size, info.ModTime.UnixNano())
}
