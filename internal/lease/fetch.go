package lease

import (
	"context"
	"errors"
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// fetch reads a record and decodes its header. It returns ErrDamaged only if
// the blob was damaged twice under one version, which info then has: a reader
// that met a store in the middle of something must not take it for damage.
func fetch(ctx context.Context, store *blob.Store, key string, kind record.Kind, header any) (blob.Info, error) {
	const patience = 4 // readings of a blob that is damaged in a new way each time
	var before blob.Version
	var err error
	for range patience {
		var data []byte
		var info blob.Info
		data, info, err = store.ReadAll(ctx, key, nil)
		if blob.Is(err, blob.Corrupt) {
			// The store noticed by itself. What can be replaced has a version.
			if info, err = store.Stat(ctx, key); err == nil {
				data = nil
			}
		}
		if err != nil {
			return blob.Info{}, err
		}
		var r record.Record
		if r, err = record.Open(kind, data); err == nil {
			return info, named(store.URI(key), r.Into(header))
		}
		if !errors.Is(err, record.ErrDamaged) || info.Version == before {
			return info, named(store.URI(key), err)
		}
		before = info.Version
	}
	return blob.Info{}, fmt.Errorf("%s changes faster than it can be read: try again: %v", store.URI(key), err)
}

// named says which record an error is about.
func named(uri string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", uri, err)
}
