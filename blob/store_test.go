package blob_test

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// bare has none of the optional abilities.
type bare struct{ driver.Store }

func TestStoreOfABareDriver(t *testing.T) {
	blobtest.Run(t, func(*testing.T) *blob.Store { return blob.New("mem://bare", bare{memblob.New()}) })
}

func TestAbilitiesThatAreMissing(t *testing.T) {
	s := blob.New("mem://bare/", bare{memblob.New()})
	if _, ok, err := s.Now(t.Context()); ok || err != nil {
		t.Errorf("a clock that is not there tells the time: %v", err)
	}
	if _, ok, err := s.LocalPath(t.Context(), "key"); ok || err != nil || s.IsLocal() {
		t.Errorf("files that are not there have paths: %v", err)
	}
	if s.URI("a/b") != "mem://bare/a/b" {
		t.Errorf("the URI is %s", s.URI("a/b"))
	}
}

// failing fails every operation with one error.
type failing struct {
	driver.Store
	err error
}

func (f failing) Stat(context.Context, string) (driver.Info, error) { return driver.Info{}, f.err }

func TestErrorsOfDrivers(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind blob.Kind
		says string
	}{
		{&driver.Error{Kind: driver.Throttled}, blob.Throttled, "blob stat test://x/key: throttled"},
		{&driver.Error{Kind: driver.Denied, Err: io.ErrClosedPipe}, blob.Denied, "blob stat test://x/key: permission denied: io: read/write on closed pipe"},
		{io.ErrClosedPipe, blob.Other, "blob stat test://x/key: failed: io: read/write on closed pipe"},
	} {
		_, err := blob.New("test://x", failing{err: test.err}).Stat(t.Context(), "key")
		if !blob.Is(err, test.kind) || err.Error() != test.says {
			t.Errorf("%v became %v", test.err, err)
		}
		if cause := errors.Unwrap(err); cause != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
	if blob.Is(nil, blob.Other) {
		t.Error("no error is an error of kind Other")
	}
}

func FuzzValidKey(f *testing.F) {
	for _, key := range []string{"a", "a/b", "", "/", "a//b", "../a", "a/..", ".", "a\\b", "a\x00", "\xff", "ä", ".a", "..."} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := blob.ValidKey(key)
		clean := key != "" && path.Join("/", key) == "/"+key && key != "." && len(key) <= blob.MaxKey && !strings.ContainsAny(key, "\x00\n\\") && strings.ToValidUTF8(key, "") == key
		if err == nil && !clean {
			t.Errorf("%q is valid", key)
		}
		if err != nil && !blob.Is(err, blob.Invalid) {
			t.Errorf("%q: %v", key, err)
		}
	})
}

// Errors of bodies name the blob, too.
func TestBodyThatBreaks(t *testing.T) {
	s := blobtest.Faulty(newMem(), blobtest.FaultPlan{Cut: 1})
	s.PutBytes(t.Context(), "key", []byte("content"), blob.PutOptions{})
	body, _, err := s.Get(t.Context(), "key", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	_, err = io.ReadAll(body)
	if e, ok := errors.AsType[*blob.Error](err); !ok || e.Kind != blob.Unavailable || e.URI != s.URI("key") {
		t.Errorf("got %v", err)
	}
}

// The kind of fault: bytes that came differ from the stored ones, as the
// store's own checksum shows. All readers of whole blobs read once more.
func TestReadAgainWhatCameCorrupt(t *testing.T) {
	corrupt := &driver.Error{Kind: driver.Corrupt}
	for wrong, reads := range map[int]int{0: 1, 1: 2, 2: 2, 3: 2} {
		s, counter := blobcount.New(blobtest.Faulty(newMem(), blobtest.FaultPlan{Before: first(wrong, blobtest.OpGet, corrupt)}))
		if _, err := s.PutBytes(t.Context(), "key", []byte("content"), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		got, _, err := s.ReadAll(t.Context(), "key", nil)
		if wrong < 2 && (err != nil || string(got) != "content") || wrong >= 2 && !blob.Is(err, blob.Corrupt) {
			t.Errorf("wrong %d times: %q, %v", wrong, got, err)
		}
		if n := counter.Counts().Get; n != reads {
			t.Errorf("wrong %d times: it was read %d times", wrong, n)
		}
	}
}
