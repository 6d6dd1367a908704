package source

import (
	"context"
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// Upload makes sure that store holds the content of each source, as Resolve
// found it, and returns the locations, in the order of refs. It leaves content
// alone that is there already, whole and young enough, and files at URIs stay
// where they are. If a file changed since Resolve, the error is ErrChanged. The
// store's time to live decides what is young enough: see RelyFor.
func (f *Files) Upload(ctx context.Context, store *blob.Store, refs []*Ref, ttl time.Duration) ([]Location, error) {
	f.know(store)
	return f.located(ctx, refs, func(ctx context.Context, _ int, r *Ref) (Location, error) {
		c := r.snapshot()
		if c == nil {
			return Location{}, fmt.Errorf("source %s: it was not resolved before it was uploaded", r)
		}
		return f.locate(ctx, store, c, ttl)
	})
}

// located is each for what finds, or makes, the location of each source.
func (f *Files) located(ctx context.Context, refs []*Ref, do func(ctx context.Context, i int, r *Ref) (Location, error)) ([]Location, error) {
	locations := make([]Location, len(refs))
	err := f.each(ctx, refs, func(ctx context.Context, i int, r *Ref) (err error) {
		locations[i], err = do(ctx, i, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return locations, nil
}

// locate makes sure of the content in store, or at its URI, and returns its
// location.
func (f *keeper) locate(ctx context.Context, store *blob.Store, c *content, ttl time.Duration) (Location, error) {
	l := Location{Identity: c.id}
	if c.id.Kind == KindDir {
		var err error
		l.At, err = f.keepFolder(ctx, store, c, ttl)
		return l, err
	}
	if c.file.uri != "" {
		at, err := f.placeOf(ctx, c.file.uri)
		if err != nil {
			return l, err
		}
		if at.store == nil || at.store.Identity() != store.Identity() {
			l.At = c.file.uri
			return l, nil
		}
	}
	o := c.file
	if o.store == nil && o.uri == "" && o.path == "" && o.value == nil { // only its hash is known
		o.store, o.key = store, BlobKey(c.id.Hash)
	}
	var err error
	l.At, err = f.keep(ctx, store, &o, ttl)
	if err == nil && c.file.value != nil {
		c.file.value.stored()
	}
	return l, err
}
