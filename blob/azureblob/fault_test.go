package azureblob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
)

// A connection that stalls ends, and Retry gets through all the same.
func TestStalls(t *testing.T) {
	server := emulator.Azurite(t)
	content := bytes.Repeat([]byte("content "), 1<<17)                                                          // 1 MiB
	stuck := func(_ http.ResponseWriter, r *http.Request, _ func(http.ResponseWriter)) { <-r.Context().Done() } // reads nothing
	read := operation{"read", func(ctx context.Context, s *blob.Store) error {
		data, _, err := s.ReadAll(ctx, "key", nil)
		if err == nil && !bytes.Equal(data, content) {
			err = fmt.Errorf("other content came: %d bytes", len(data))
		}
		return err
	}}
	get := operation{"get", func(ctx context.Context, s *blob.Store) error {
		body, _, err := s.Get(ctx, "key", blob.Range{Offset: 8})
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = differs(body, bytes.NewReader(content[8:]))
		return err
	}}
	put := operation{"put", func(ctx context.Context, s *blob.Store) error {
		_, err := s.PutBytes(ctx, "other", content, blob.PutOptions{})
		return err
	}}
	blocks := operation{"put in blocks", func(ctx context.Context, s *blob.Store) error {
		_, err := s.Put(ctx, "large", noise(large), large, blob.PutOptions{})
		return err
	}}
	for _, c := range []struct {
		name  string
		fault faultproxy.Fault
		op    operation
		again bool // by the driver itself
	}{
		{"no answer", faultproxy.Stall(), read, false}, {"half an answer", faultproxy.StallAfter(1000), read, false},
		{"no answer", faultproxy.Stall(), get, false}, {"half an answer", faultproxy.StallAfter(1000), get, false},
		{"no answer", faultproxy.Stall(), opStat, false}, {"no answer", faultproxy.Stall(), opList, false},
		{"no answer", faultproxy.Stall(), put, false}, {"not read", stuck, put, false},
		{"not read", stuck, blocks, true},
	} {
		t.Run(c.op.name+", "+c.name, func(t *testing.T) {
			t.Parallel()
			const stall = 2 * time.Second // a machine under load may stall by itself, if not as often as this is tried again
			patient := blob.RetryPolicy{Tries: 100, First: time.Millisecond, Max: 20 * time.Millisecond}
			uri, proxy := server.Behind(t)
			s := openRoot(t, uri)
			if _, err := s.PutBytes(t.Context(), "key", content, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			driverOf(s).transport.Stall = stall
			proxy.Strike(1, c.fault, faultproxy.Any)
			start := time.Now()
			err := c.op.run(t.Context(), s)
			if c.again != (err == nil) || err != nil && (!blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "stalled")) {
				t.Error(err)
			}
			if took := time.Since(start); took < stall {
				t.Errorf("it ended after %v", took)
			}
			proxy.Reset()
			proxy.Strike(1, c.fault, faultproxy.Any)
			if err := c.op.run(t.Context(), blob.Retry(s, patient)); err != nil {
				t.Errorf("tried again: %v", err)
			}
		})
	}
}

// Answers that are lost, cut or altered never become data, and never a put that is
// done twice or not at all.
func TestBrokenAnswers(t *testing.T) {
	uri, proxy := emulator.Azurite(t).Behind(t)
	s := openRoot(t, uri)
	retry := blob.Retry(s, quick)
	first, err := s.PutBytes(t.Context(), "key", []byte("content"), blob.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, fault := range map[string]faultproxy.Fault{"lost": faultproxy.LoseAnswer(), "replaced": faultproxy.ReplaceAnswer(500, nil, "")} {
		proxy.Reset()
		proxy.Strike(1, fault, faultproxy.Method("PUT"))
		if _, err := retry.PutBytes(t.Context(), name, []byte("ours"), blob.PutOptions{IfAbsent: true}); err != nil {
			t.Errorf("%s, if absent: %v", name, err)
		}
		proxy.Reset()
		proxy.Strike(1, fault, faultproxy.Method("PUT"))
		if first, err = retry.PutBytes(t.Context(), "key", []byte("content of "+name), blob.PutOptions{IfVersion: first.Version}); err != nil {
			t.Errorf("%s, swap: %v", name, err)
		}
		proxy.Reset()
		proxy.Strike(1, fault, faultproxy.Method("DELETE"))
		if err := retry.Delete(t.Context(), name); err != nil {
			t.Errorf("%s, delete: %v", name, err)
		}
	}
	// What is altered on the way is noticed at both ends.
	proxy.Reset()
	proxy.Strike(1, flipSent, faultproxy.Method("PUT"))
	if _, err := s.PutBytes(t.Context(), "altered", []byte("content"), blob.PutOptions{}); !blob.Is(err, blob.Unavailable) {
		t.Errorf("an altered put: %v", err)
	}
	if _, err := s.Put(t.Context(), "large", noise(large), large, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for key, at := range map[string]int{"key": 3, "large": large - 1} {
		proxy.Reset()
		proxy.Strike(-1, faultproxy.FlipAt(at), faultproxy.Method("GET"))
		if _, _, err := s.ReadAll(t.Context(), key, nil); !blob.Is(err, blob.Corrupt) {
			t.Errorf("%s with a bit flipped: %v", key, err)
		}
	}
	// A large one that is cut off again and again goes on where it was.
	proxy.Reset()
	proxy.Strike(5, faultproxy.CutAfter(3<<20), faultproxy.Method("GET"))
	expectNoise(t, retry, "large", large)
	// One that somebody writes over meanwhile does not.
	proxy.Reset()
	proxy.Strike(1, faultproxy.CutAfter(3<<20), faultproxy.Method("GET"))
	body, _, err := retry.Get(t.Context(), "large", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := s.Put(t.Context(), "large", noise(large), large, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, body); !blob.Is(err, blob.Mismatch) {
		t.Errorf("a blob that was replaced while it was read: %v", err)
	}
}

// A blob of others, in one request or with an MD5 of its own, is verified, too.
func TestBlobsOfOthers(t *testing.T) {
	uri, proxy := emulator.Azurite(t).Behind(t)
	s := openRoot(t, uri)
	client, err := driverOf(s).blob("theirs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UploadBuffer(t.Context(), []byte("their content"), nil); err != nil {
		t.Fatal(err)
	}
	if data, _, err := s.ReadAll(t.Context(), "theirs", nil); err != nil || string(data) != "their content" {
		t.Errorf("%q, %v", data, err)
	}
	proxy.Strike(1, faultproxy.FlipAt(3), faultproxy.Any)
	if data, _, err := s.ReadAll(t.Context(), "theirs", nil); err != nil || string(data) != "their content" {
		t.Errorf("with a bit flipped once: %q, %v", data, err)
	}
	proxy.Reset()
	proxy.Strike(2, faultproxy.FlipAt(3), faultproxy.Any)
	if _, _, err := s.ReadAll(t.Context(), "theirs", nil); !blob.Is(err, blob.Corrupt) {
		t.Errorf("with a bit flipped twice: %v", err)
	}
}

// A container that is not there is no blob that is not there: that would look like a
// result that has to be computed.
func TestMissingContainer(t *testing.T) {
	uri := emulator.Azurite(t).Root(t)
	s := openRoot(t, uri)
	p := driverOf(s).place
	if _, err := s.PutBytes(t.Context(), "key", noiseOf(1<<20), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	body, _, err := s.Get(t.Context(), "key", blob.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := driverOf(s).client.Delete(t.Context(), &container.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, body); err != nil && !blob.Is(err, blob.Unavailable) {
		t.Errorf("deleted while it was read: %d bytes, %v", n, err)
	}
	for _, op := range append(slices.Clone(operations), operation{"put in blocks", func(ctx context.Context, s *blob.Store) error {
		_, err := s.Put(ctx, "large", noise(large), large, blob.PutOptions{IfAbsent: true})
		return err
	}}) {
		err := op.run(t.Context(), blob.Retry(s, quick))
		if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), p.container) || !strings.Contains(err.Error(), p.account) {
			t.Errorf("%s: %v", op.name, err)
		}
	}
}

func noiseOf(size int64) []byte {
	data, _ := io.ReadAll(noise(size))
	return data
}

func TestLongKeys(t *testing.T) {
	s := openRoot(t, under(emulator.Azurite(t).Root(t), strings.Repeat("r", 100)))
	fits := strings.Repeat("k", maxName-1-len(driverOf(s).place.address.Path))
	if _, err := s.PutBytes(t.Context(), fits, nil, blob.PutOptions{}); err != nil {
		t.Errorf("the longest key: %v", err)
	}
	for _, key := range []string{fits + "k", strings.Repeat("k", 1100)} {
		_, err := s.PutBytes(t.Context(), key, nil, blob.PutOptions{})
		_, errStat := s.Stat(t.Context(), key)
		if !blob.Is(err, blob.Invalid) || !blob.Is(errStat, blob.Invalid) || !strings.Contains(err.Error(), "1024") {
			t.Errorf("a key of %d bytes: %v, %v", len(key), err, errStat)
		}
	}
}

// The clock is the service's, whatever ours shows.
func TestClock(t *testing.T) {
	const ahead = 10 * time.Minute
	s := service(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		refuse(w, 404, "BlobNotFound", "The specified blob does not exist.")
	})
	began := time.Now()
	now, ok, err := s.Now(t.Context())
	if here := now.Add(-ahead); !ok || err != nil || here.After(time.Now()) || here.Before(began.Add(-time.Second)) { // dates have whole seconds
		t.Errorf("it is %v, %v, %v", now, ok, err)
	}
}

// Many calls side by side use the same connections again and again.
func TestConnections(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mark(w.Header())
		w.Header().Set("ETag", `"0x1"`)
		w.Header().Set("Last-Modified", "Wed, 25 Nov 2026 12:00:00 GMT")
		w.Header().Set("Content-Length", "7")
		io.WriteString(w, "content")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	environment(t, map[string]string{"AZURE_STORAGE_KEY": key})
	s := openRoot(t, "adls://account/box?endpoint="+server.URL+"/account")
	const gets, goroutines = 2048, 64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range gets / goroutines {
				if _, _, err := s.ReadAll(t.Context(), "key", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	// net/http dials for each that finds none idle, and then may hand it another's; under
	// load many find none.
	if n := opened.Load(); n > gets/4 {
		t.Errorf("%d gets by %d goroutines opened %d connections", gets, goroutines, n)
	} else {
		t.Logf("%d gets by %d goroutines opened %d connections", gets, goroutines, n)
	}
}
