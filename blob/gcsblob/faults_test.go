package gcsblob

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// More than one write a second to one object is answered 429 now and then:
// https://cloud.google.com/storage/docs/gcs429
func TestSwapIsThrottled(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := blob.Retry(openStore(t, root), blob.RetryPolicy{First: time.Millisecond})
	info, err := s.PutBytes(t.Context(), "lease", []byte("0"), blob.PutOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	proxy.Strike(3, faultproxy.Answer(429, nil, inJSON("rateLimitExceeded", "The object exceeded the rate limit.")), faultproxy.Method("POST"))
	if _, err := s.PutBytes(t.Context(), "lease", []byte("1"), blob.PutOptions{IfVersion: info.Version}); err != nil {
		t.Error(err)
	}
	if n := proxy.Requests(); n != 5 {
		t.Errorf("there were %d requests, and should be 5", n)
	}
}

// The answer to a conditional put is lost after it was applied.
func TestLostAnswer(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := blob.Retry(openStore(t, root), blob.RetryPolicy{First: time.Millisecond})
	info, err := s.PutBytes(t.Context(), "blob", []byte("one"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]blob.PutOptions{"new": {IfAbsent: true}, "blob": {IfVersion: info.Version}} {
		proxy.Strike(1, faultproxy.LoseAnswer(), faultproxy.Method("POST"))
		put, err := s.PutBytes(t.Context(), name, []byte("two"), opts)
		if err != nil {
			t.Fatalf("%+v: %v", opts, err)
		}
		if now, err := s.Stat(t.Context(), name); err != nil || now.Version != put.Version {
			t.Errorf("%+v returned version %q, and there is %q (%v)", opts, put.Version, now.Version, err)
		}
	}
}

func TestStall(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	content := make([]byte, 1<<20)
	if _, err := s.PutBytes(t.Context(), "blob", content, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Driver().(*store).transport.Stall = time.Second
	unread := func(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) { <-r.Context().Done() }
	read := func(s *blob.Store) error { _, _, err := s.ReadAll(t.Context(), "blob", nil); return err }
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		do    func(*blob.Store) error
	}{
		"no answer":   {faultproxy.Stall(), read},
		"half a body": {faultproxy.StallAfter(500_000), read},
		"body unread": {unread, func(s *blob.Store) error {
			_, err := s.PutBytes(t.Context(), "new", content, blob.PutOptions{})
			return err
		}},
		"not answered": {faultproxy.Stall(), func(s *blob.Store) error {
			_, err := s.PutBytes(t.Context(), "new", content, blob.PutOptions{})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			proxy.Reset()
			proxy.Strike(2, c.fault, faultproxy.Any)
			if err := c.do(s); !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "stalled") {
				t.Errorf("it is not said that the connection stalled: %v", err)
			}
			// A machine under load may stall by itself.
			if err := c.do(blob.Retry(s, blob.RetryPolicy{Tries: 100, First: time.Millisecond, Max: 20 * time.Millisecond})); err != nil {
				t.Errorf("another try does not help: %v", err)
			}
		})
	}
}

func TestDamagedDownload(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	if _, err := s.PutBytes(t.Context(), "blob", make([]byte, 100_000), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	proxy.Strike(-1, faultproxy.FlipAt(70_000), faultproxy.Any)
	if _, _, err := s.ReadAll(t.Context(), "blob", nil); !blob.Is(err, blob.Corrupt) {
		t.Errorf("a flipped bit is not noticed: %v", err)
	}
	proxy.Reset()
	proxy.Strike(1, faultproxy.FlipAt(70_000), faultproxy.Any)
	if data, _, err := s.ReadAll(t.Context(), "blob", nil); err != nil || !bytes.Equal(data, make([]byte, 100_000)) {
		t.Errorf("a bit that is flipped once is final: %v", err)
	}
	proxy.Reset()
	proxy.Strike(-1, faultproxy.CutAfter(70_000), faultproxy.Any)
	if _, _, err := s.ReadAll(t.Context(), "blob", nil); !blob.Is(err, blob.Unavailable) {
		t.Errorf("that the connection ended is not noticed: %v", err)
	}
}

func TestDamagedUpload(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	flip := func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		data, _ := io.ReadAll(r.Body)
		data[len(data)-1000] ^= 1
		r.Body = io.NopCloser(bytes.NewReader(data))
		pass(w)
	}
	content := make([]byte, 2000)
	proxy.Strike(2, flip, faultproxy.Method("POST"))
	if _, err := s.PutBytes(t.Context(), "blob", content, blob.PutOptions{}); !blob.Is(err, blob.Unavailable) {
		t.Errorf("a flipped bit is not noticed: %v", err)
	}
	s = blob.Retry(s, blob.RetryPolicy{First: time.Millisecond})
	if _, err := s.PutBytes(t.Context(), "blob", content, blob.PutOptions{IfAbsent: true}); err != nil {
		t.Error(err)
	}
	checkContent(t, s, "blob", content)
}

func TestOddRanges(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	if _, err := s.PutBytes(t.Context(), "blob", []byte("content"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	body, _, err := s.Get(t.Context(), "blob", blob.Range{Offset: 3, Length: math.MaxInt64})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if data, err := io.ReadAll(body); string(data) != "tent" || err != nil {
		t.Errorf("a part longer than can be is %q (%v)", data, err)
	}
	proxy.Strike(-1, func(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
		r.Header.Del("Range")
		pass(w)
	}, faultproxy.Any)
	for _, part := range []blob.Range{{Offset: 3}, {Length: 3}, {Length: 7}} {
		if _, _, err := s.Get(t.Context(), "blob", part); !blob.Is(err, blob.Unavailable) {
			t.Errorf("that the whole came for %+v gave %v", part, err)
		}
	}
}

func TestReplacedWhileRead(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := blob.Retry(openStore(t, root), blob.RetryPolicy{First: time.Millisecond})
	put := func(fill byte) {
		t.Helper()
		if _, err := s.PutBytes(t.Context(), "blob", []byte(strings.Repeat(string(fill), 1<<20)), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put('a')
	proxy.Strike(1, faultproxy.CutAfter(500_000), faultproxy.Method("GET"))
	body, _, err := s.Get(t.Context(), "blob", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	put('b')
	if _, err := io.Copy(io.Discard, body); !blob.Is(err, blob.Mismatch) {
		t.Errorf("reading on what was replaced gave %v", err)
	}
}
