package lease

import (
	"context"
	"fmt"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// fetch reads a record and decodes its header; see record.Fetch for the errors.
func fetch(ctx context.Context, store *blob.Store, key string, kind record.Kind, header any) (blob.Info, error) {
	found, err := record.Fetch(ctx, store, key, kind)
	if err != nil && found.Info.Version == "" { // the store's
		return blob.Info{}, err
	}
	if err != nil {
		return found.Info, named(store.URI(key), err)
	}
	return found.Info, named(store.URI(key), found.Into(header))
}

// named says which record an error is about.
func named(uri string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", uri, err)
}
