package lease_test

import (
	"context"
	"errors"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// A put that was applied counts as applied, whatever the store said.
func TestPutWithoutAcknowledgement(t *testing.T) {
	for name, failure := range map[string]error{
		"reset":                    errAck,
		"retried below, if absent": &driver.Error{Kind: driver.Exists},
		"retried below, swap":      &driver.Error{Kind: driver.Mismatch},
		"the context ended":        context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			p := newProc(newStore())
			put := func(prev blob.Version, id string) blob.Version {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p.set(nil, func(op, _ string) error {
					if op != "put" {
						return nil
					}
					if errors.Is(failure, context.Canceled) {
						cancel()
					}
					return failure
				})
				version, err := lease.Put(ctx, p.store, key, prev, lease.State{ID: runs.ID{LeaseID: id}, Status: lease.StatusHeld})
				if err != nil {
					t.Fatal(err)
				}
				return version
			}
			first := put("", "a")
			second := put(first, "b")
			if state, version := mustRead(t, p.store); state.LeaseID != "b" || version != second {
				t.Errorf("%+v with version %q, want %q", state, version, second)
			}
		})
	}
}

// A put that was not applied never counts as applied, and a process that lost a
// race while the store failed learns that it lost.
func TestPutThatFailed(t *testing.T) {
	p := newProc(newStore())
	other := newProc(p.Store)
	p.set(func(op, _ string) error {
		if op == "put" {
			return errDown
		}
		return nil
	}, nil)
	if _, err := lease.Put(t.Context(), p.store, key, "", lease.State{ID: runs.ID{LeaseID: "a"}}); !blob.Is(err, blob.Unavailable) {
		t.Errorf("%v, want Unavailable", err)
	}
	// The very state that the other one put does not pass for ours.
	state := lease.State{ID: runs.ID{LeaseID: "b"}, Status: lease.StatusHeld}
	first, err := lease.Put(t.Context(), other.store, key, "", state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Put(t.Context(), p.store, key, "", state); !blob.Is(err, blob.Exists) {
		t.Errorf("%v, want Exists", err)
	}
	if _, err := lease.Put(t.Context(), other.store, key, first, state); err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Put(t.Context(), p.store, key, first, state); !blob.Is(err, blob.Mismatch) {
		t.Errorf("%v, want Mismatch", err)
	}
}
