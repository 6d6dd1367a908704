package memblob_test

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(*testing.T) *blob.Store { return blob.New("mem://conformance", memblob.New()) })
}

func open(t *testing.T, uri string) *blob.Store {
	t.Helper()
	s, err := blob.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNamesAreShared(t *testing.T) {
	t.Cleanup(func() { memblob.Forget("mem://shared") })
	one, other := open(t, "mem://shared"), open(t, "mem://shared/")
	if one.Root() != "mem://shared" || other.Root() != one.Root() {
		t.Errorf("roots are %q and %q", one.Root(), other.Root())
	}
	if _, err := one.PutBytes(t.Context(), "key", []byte("x"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Stat(t.Context(), "key"); err != nil {
		t.Errorf("the other store of the same name does not have it: %v", err)
	}
	if _, err := open(t, "mem://another").Stat(t.Context(), "key"); !blob.Is(err, blob.NotFound) {
		t.Errorf("a store of another name gave %v", err)
	}
	memblob.Forget("mem://shared")
	if _, err := open(t, "mem://shared").Stat(t.Context(), "key"); !blob.Is(err, blob.NotFound) {
		t.Errorf("a forgotten store gave %v", err)
	}
}

func TestNameIsNeeded(t *testing.T) {
	for _, uri := range []string{"mem:", "mem://", "mem:///"} {
		if _, err := blob.Open(t.Context(), uri); !blob.Is(err, blob.Invalid) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestClockCanBeSet(t *testing.T) {
	d := memblob.New()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	d.SetClock(func() time.Time { return noon })
	s := blob.New("mem://clock", d)
	info, err := s.PutBytes(t.Context(), "key", nil, blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now, ok, err := s.Now(t.Context())
	if !now.Equal(noon) || !info.ModTime.Equal(noon) || !ok || err != nil {
		t.Errorf("now is %v (%v, %v), the blob is of %v, and the clock shows %v", now, ok, err, info.ModTime, noon)
	}
}
