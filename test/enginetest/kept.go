package enginetest

import (
	"context"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
)

// Leases returns what all leases of a root say.
func Leases(t testing.TB, root string) (states []lease.State) {
	t.Helper()
	each(t, root, func(store *blob.Store, key string) error {
		if !strings.HasSuffix(key, "/lease") {
			return nil
		}
		state, _, err := lease.Read(context.Background(), store, key)
		states = append(states, state)
		return err
	})
	return states
}

// Logs is all that is kept of what workers printed, below a root or a memo URI.
func Logs(t testing.TB, uri string) (log string) {
	t.Helper()
	each(t, uri, func(store *blob.Store, key string) error {
		if !strings.Contains(key, ".log/") {
			return nil
		}
		chunk, _, err := store.ReadAll(context.Background(), key, nil)
		log += string(chunk)
		return err
	})
	return log
}

// each looks at all blobs of a store, in the order of their keys.
func each(t testing.TB, uri string, look func(store *blob.Store, key string) error) {
	t.Helper()
	store, err := blob.Open(context.Background(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.List(context.Background(), "", "") {
		if err == nil {
			err = look(store, info.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
