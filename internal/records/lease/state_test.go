package lease_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

func TestReadAndPut(t *testing.T) {
	p := newProc(newStore())
	if state, version, err := lease.Read(t.Context(), p.store, key); err != nil || version != "" || state.LeaseID != "" {
		t.Fatalf("no lease: %+v, %q, %v", state, version, err)
	}
	want := lease.State{
		ID:     runs.ID{LeaseID: lease.NewID(), RunID: "r", Attempt: 2, Executor: "k8s"},
		Status: lease.StatusHeld, Session: "s", Orchestrator: "o", Handle: "job/x", Host: "h", User: "u", Since: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC),
	}
	first, err := lease.Put(t.Context(), p.store, key, "", want)
	if err != nil {
		t.Fatal(err)
	}
	got, version := mustRead(t, p.store)
	if got.Nonce == "" || version != first {
		t.Errorf("nonce %q, version %q, want %q", got.Nonce, version, first)
	}
	want.Key, want.Nonce = key, got.Nonce
	if got != want {
		t.Errorf("read %+v, want %+v", got, want)
	}

	if _, err := lease.Put(t.Context(), p.store, key, "", want); !blob.Is(err, blob.Exists) {
		t.Errorf("a second lease: %v, want Exists", err)
	}
	want.Status, want.Outcome = lease.StatusReleased, &lease.Outcome{Kind: runs.ExecError, Reason: "OOMKilled", Detail: "last words"}
	second, err := lease.Put(t.Context(), p.store, key, first, want)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Put(t.Context(), p.store, key, first, want); !blob.Is(err, blob.Mismatch) {
		t.Errorf("over a version that is gone: %v, want Mismatch", err)
	}
	got, version = mustRead(t, p.store)
	if version != second || got.Status != lease.StatusReleased || *got.Outcome != *want.Outcome {
		t.Errorf("read %+v with version %q", got, version)
	}
}

// A user's error may be of any length; a lease may not.
func TestALeaseHasRoomForAnyMessage(t *testing.T) {
	p := newProc(newStore())
	message := strings.Repeat("ä", 80<<20)
	_, err := lease.Put(t.Context(), p.store, key, "", lease.State{
		ID: runs.ID{LeaseID: "l"}, Status: lease.StatusReleased, Outcome: &lease.Outcome{Kind: runs.FuncError, Message: message},
	})
	if err != nil {
		t.Fatal(err)
	}
	state, _ := mustRead(t, p.store)
	if got, cut := strings.CutSuffix(state.Outcome.Message, "…"); !cut || !strings.HasPrefix(message, got) || len(got) < 60_000 {
		t.Errorf("the message has %d bytes: %.20q", len(got), got)
	}
}

// Whatever lies in the place of a lease, Read says whether it may be replaced,
// and Put replaces what may be. A lease of 0 bytes must not make anybody hang.
func TestWhatIsNoLease(t *testing.T) {
	seal := func(kind record.Kind, header any) []byte {
		data, err := record.Seal(kind, header, nil)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	good := seal(record.KindLease, lease.State{Key: key, ID: runs.ID{LeaseID: "l"}, Status: lease.StatusHeld})
	for name, c := range map[string]struct {
		data    []byte
		replace bool
	}{
		"0 bytes":        {nil, true},
		"garbage":        {[]byte("\x00\xff{}"), true},
		"cut off":        {good[:len(good)-1], true},
		"a copy":         {seal(record.KindLease, lease.State{Key: "another/lease", Status: lease.StatusHeld}), true},
		"newer":          {bytes.Replace(good, []byte("mops1"), []byte("mops2"), 1), false},
		"another kind":   {seal(record.KindResult, record.ResultHeader{}), false},
		"unknown status": {seal(record.KindLease, lease.State{Key: key, Status: "paused"}), false},
		"other types":    {seal(record.KindLease, map[string]any{"key": key, "status": []int{1}}), false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProc(newStore())
			if _, err := p.store.PutBytes(t.Context(), key, c.data, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			_, version, err := lease.Read(t.Context(), p.store, key)
			if !strings.Contains(err.Error(), p.store.URI(key)) {
				t.Errorf("%q does not say which lease", err)
			}
			if !c.replace {
				if _, ok := errors.AsType[*record.FormatError](err); !ok || version != "" {
					t.Errorf("%v, version %q; want a *FormatError without a version", err, version)
				}
				return
			}
			if !errors.Is(err, lease.ErrDamaged) || version == "" {
				t.Fatalf("%v, version %q; want ErrDamaged with a version", err, version)
			}
			if _, err := lease.Put(t.Context(), p.store, key, version, lease.State{ID: runs.ID{LeaseID: "new"}, Status: lease.StatusHeld}); err != nil {
				t.Fatal(err)
			}
			if state, _ := mustRead(t, p.store); state.LeaseID != "new" {
				t.Errorf("replaced by %+v", state)
			}
		})
	}
}

// A lease that is damaged differently at each reading is not damaged: it is
// being written.
func TestDamagedOnlyIfDamagedTwice(t *testing.T) {
	p := newProc(newStore())
	writer := newProc(p.Store)
	readings, settleAfter := 0, 2
	p.set(func(op, _ string) error {
		if op != "get" {
			return nil
		}
		readings++
		if readings <= settleAfter {
			_, err := writer.store.PutBytes(t.Context(), key, []byte("torn"), blob.PutOptions{})
			return err
		}
		if readings == settleAfter+1 {
			_, version, _ := lease.Read(t.Context(), writer.store, key)
			_, err := lease.Put(t.Context(), writer.store, key, version, lease.State{ID: runs.ID{LeaseID: "l"}, Status: lease.StatusHeld})
			return err
		}
		return nil
	}, nil)
	if state, _ := mustRead(t, p.store); state.LeaseID != "l" || readings != 3 {
		t.Errorf("%+v after %d readings", state, readings)
	}

	readings, settleAfter = 0, 1000
	if _, _, err := lease.Read(t.Context(), p.store, key); err == nil || errors.Is(err, lease.ErrDamaged) {
		t.Errorf("a lease in motion: %v, want an error that is not ErrDamaged", err)
	}
	if readings > 10 {
		t.Errorf("%d readings of one lease", readings)
	}
}

// The store noticed by itself that a blob is damaged.
func TestCorruptInTheStore(t *testing.T) {
	p := newProc(newStore())
	if _, err := p.store.PutBytes(t.Context(), key, nil, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	p.set(func(op, _ string) error {
		if op == "get" {
			return &blob.Error{Kind: blob.Corrupt}
		}
		return nil
	}, nil)
	if _, version, err := lease.Read(t.Context(), p.store, key); !errors.Is(err, lease.ErrDamaged) || version == "" {
		t.Errorf("%v, version %q; want ErrDamaged with a version", err, version)
	}
}
