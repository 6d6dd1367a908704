package gcsblob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// Content that goes up in four parts and in two, the last ones odd.
var (
	larger = bytes.Repeat([]byte("0123456789abcde"), (3*cloud.PartSize+11)/15)
	large  = larger[:cloud.PartSize+3]
)

func isCompose(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/compose") }

func checkContent(t *testing.T, s *blob.Store, key string, want []byte) {
	t.Helper()
	body, info, err := s.Get(t.Context(), key, blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, body); err != nil || info.Size != int64(len(want)) || [32]byte(hash.Sum(nil)) != sha256.Sum256(want) {
		t.Errorf("%s holds other bytes than were written, %d of them (%v)", key, info.Size, err)
	}
}

// partsIn lists the parts of uploads that are not complete.
func partsIn(t *testing.T, s *blob.Store) (keys []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), partsFolder, "") {
		if err != nil {
			t.Error(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func checkNoParts(t *testing.T, s *blob.Store) {
	t.Helper()
	if left := partsIn(t, s); len(left) > 0 {
		t.Errorf("there is left %q", left)
	}
}

func TestInParts(t *testing.T) {
	s := openStore(t, emulator.GCS(t).Root(t))
	for i, size := range []int64{int64(len(larger)), -1} {
		key := fmt.Sprint("blob", i)
		put, err := s.Put(t.Context(), key, io.MultiReader(bytes.NewReader(larger)), size, blob.PutOptions{IfAbsent: true})
		if err != nil {
			t.Fatal(err)
		}
		if stat, err := s.Stat(t.Context(), key); err != nil || stat != put {
			t.Errorf("the put returned %+v, and there is %+v (%v)", put, stat, err)
		}
		checkContent(t, s, key, larger)
	}
	checkNoParts(t, s)
}

// Many parts are composed in rounds, here 70 of them in two.
func TestRounds(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	d := s.Driver().(*store)
	p, err := d.newParts("root/blob", blob.PutOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for n := 1; n <= 70; n++ {
		part := fmt.Appendf(nil, "part %d;", n)
		want = append(want, part...)
		if err := p.Put(t.Context(), n, part); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // of the 3 + 1
		proxy.Strike(1, faultproxy.LoseAnswer(), isCompose)
		proxy.Strike(1, faultproxy.Answer(503, nil, ""), isCompose)
	}
	if _, err := p.Complete(t.Context(), 70, int64(len(want))); err != nil {
		t.Fatal(err)
	}
	checkContent(t, s, "blob", want)
	checkNoParts(t, s)
}

// keepSources lets the service compose and delete nothing, as fake-gcs-server does.
func keepSources(w http.ResponseWriter, r *http.Request, pass func(http.ResponseWriter)) {
	data, _ := io.ReadAll(r.Body)
	data = bytes.Replace(data, []byte(`"deleteSourceObjects":true`), []byte(`"deleteSourceObjects":false`), 1)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	pass(w)
}

func TestSourcesKept(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	s := openStore(t, root)
	proxy.Strike(-1, keepSources, isCompose)
	p, err := s.Driver().(*store).newParts("root/rounds", blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 40; n++ { // which takes two rounds
		if err := p.Put(t.Context(), n, []byte("part")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Complete(t.Context(), 40, 160); err != nil {
		t.Fatal(err)
	}
	checkNoParts(t, s)
	isDelete, isList := faultproxy.Method("DELETE"), func(r *http.Request) bool { return r.URL.Query().Has("prefix") }
	for name, match := range map[string]func(*http.Request) bool{"list": isList, "delete": isDelete} {
		proxy.Strike(1, faultproxy.Answer(403, nil, inJSON("forbidden", "no")), match)
		if _, err := s.PutBytes(t.Context(), name, large, blob.PutOptions{}); err != nil {
			t.Errorf("the put failed for what comes after it: %v", err)
		}
		checkContent(t, s, name, large)
	}
}

func TestInPartsConditions(t *testing.T) {
	s := openStore(t, emulator.GCS(t).Root(t))
	first, err := s.PutBytes(t.Context(), "blob", []byte("first"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	winner, err := s.PutBytes(t.Context(), "blob", []byte("winner"), blob.PutOptions{IfVersion: first.Version})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  string
		opts blob.PutOptions
		kind blob.Kind
	}{
		{"blob", blob.PutOptions{IfAbsent: true}, blob.Exists},
		{"blob", blob.PutOptions{IfVersion: first.Version}, blob.Mismatch},
		{"gone", blob.PutOptions{IfVersion: first.Version}, blob.Mismatch},
		{"blob", blob.PutOptions{IfVersion: "0"}, blob.Mismatch},
		{"blob", blob.PutOptions{IfVersion: "from another store"}, blob.Mismatch},
	} {
		if _, err := s.PutBytes(t.Context(), c.key, large, c.opts); !blob.Is(err, c.kind) {
			t.Errorf("%s with %+v: %v", c.key, c.opts, err)
		}
	}
	checkContent(t, s, "blob", []byte("winner"))
	checkNoParts(t, s)
	if _, err := s.PutBytes(t.Context(), "blob", large, blob.PutOptions{IfVersion: winner.Version}); err != nil {
		t.Error(err)
	}
	checkContent(t, s, "blob", large)
}

func TestInPartsFaults(t *testing.T) {
	root, proxy := emulator.GCS(t).Behind(t)
	bare := openStore(t, root)
	s := blob.Retry(bare, blob.RetryPolicy{First: time.Millisecond})
	for name, strike := range map[string]func(){
		"part refused":     func() { proxy.Strike(2, faultproxy.Answer(503, nil, ""), faultproxy.Method("POST")) },
		"part lost":        func() { proxy.Strike(2, faultproxy.LoseAnswer(), faultproxy.Method("POST")) },
		"compose refused":  func() { proxy.Strike(2, faultproxy.Answer(429, nil, inJSON("rateLimitExceeded", "")), isCompose) },
		"compose lost":     func() { proxy.Strike(1, faultproxy.LoseAnswer(), isCompose) },
		"compose conflict": func() { proxy.Strike(1, faultproxy.Answer(409, nil, inJSON("conflict", "")), isCompose) },
	} {
		t.Run(name, func(t *testing.T) {
			proxy.Reset()
			strike()
			if _, err := s.Put(t.Context(), name, io.MultiReader(bytes.NewReader(large)), -1, blob.PutOptions{IfAbsent: true}); err != nil {
				t.Fatal(err)
			}
			if n := proxy.Requests(); n > 7 { // 2 parts, compose, looking for the result, and trying again; not all of it once more
				t.Errorf("it took %d requests", n)
			}
			checkContent(t, s, name, large)
			checkNoParts(t, s)
		})
	}
	t.Run("parts deleted", func(t *testing.T) {
		proxy.Reset()
		proxy.Strike(1, faultproxy.Answer(404, nil, inJSON("notFound", "No such object: b/mops1-scratch/x")), isCompose)
		if _, err := bare.PutBytes(t.Context(), "blob", large, blob.PutOptions{}); !blob.Is(err, blob.Unavailable) {
			t.Errorf("it is not said that it may be tried again: %v", err)
		}
		checkNoParts(t, s)
	})
	t.Run("no bucket", func(t *testing.T) {
		proxy.Reset()
		proxy.Strike(-1, faultproxy.Answer(404, nil, "Not Found"), faultproxy.Method("POST"))
		if _, err := s.PutBytes(t.Context(), "blob", large, blob.PutOptions{}); !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "there is no bucket") {
			t.Errorf("it is not said that there is no bucket: %v", err)
		}
	})
	t.Run("denied", func(t *testing.T) {
		proxy.Reset()
		proxy.Strike(-1, faultproxy.Answer(403, nil, inJSON("forbidden", "no")), isCompose)
		if _, err := s.PutBytes(t.Context(), "denied", large, blob.PutOptions{}); !blob.Is(err, blob.Denied) {
			t.Error(err)
		}
		checkNoParts(t, s)
	})
	t.Run("cancelled", func(t *testing.T) {
		proxy.Reset()
		ctx, cancel := context.WithCancel(t.Context())
		// A part under way may arrive after what was there is deleted: cancel when the two that are whole have arrived.
		body := io.MultiReader(bytes.NewReader(larger[:5*cloud.PartSize/2]), readerFunc(func([]byte) (int, error) {
			for len(partsIn(t, s)) < 2 && t.Context().Err() == nil {
				runtime.Gosched()
			}
			cancel()
			return 0, ctx.Err()
		}))
		if _, err := s.Put(ctx, "cancelled", body, -1, blob.PutOptions{}); err == nil {
			t.Error("a put whose context ended succeeded")
		}
		if _, err := s.Stat(t.Context(), "cancelled"); !blob.Is(err, blob.NotFound) {
			t.Errorf("a put whose context ended has written: %v", err)
		}
		checkNoParts(t, s)
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Large blobs pass through little memory.
func TestMemory(t *testing.T) {
	const size = 256 << 20
	var most atomic.Uint64
	heap := func() uint64 {
		runtime.GC() // garbage does not count
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		return now.HeapAlloc
	}
	server := newSink(t, size, func() { most.Store(max(most.Load(), heap())) })
	s := openStore(t, "gs://bucket?endpoint="+server.URL)
	before := heap()
	if _, err := s.Put(t.Context(), "blob", zeroes(size), size, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	body, _, err := s.Get(t.Context(), "blob", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if n, err := io.Copy(io.Discard, body); n != size || err != nil {
		t.Fatal(n, err)
	}
	grown := int64(most.Load()-before) >> 20
	t.Logf("the heap grew by %d MiB at the most", grown)
	if grown > 64 {
		t.Errorf("%d MiB up and down took %d MiB of memory", size>>20, grown)
	}
}
