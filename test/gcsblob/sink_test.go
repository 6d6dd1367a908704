package gcsblob_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newSink starts a server that has nothing to do but to move bytes: it forgets
// what it gets, takes each object for one of size zeroes, and plays resumable uploads, which
// the SDK makes.
func newSink(tb testing.TB, size int64) *httptest.Server {
	some := make([]byte, 1<<20)
	hash := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	io.Copy(hash, zeroes(size))
	sum := base64.StdEncoding.EncodeToString(hash.Sum(nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/o") { // a list
			io.WriteString(w, "{}")
			return
		}
		h := w.Header()
		h.Set("X-Goog-Generation", "1")
		h.Set("X-Goog-Stored-Content-Length", fmt.Sprint(size))
		h.Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		if r.Method == http.MethodGet {
			h.Set("Content-Length", fmt.Sprint(size))
			for range size >> 20 {
				w.Write(some)
			}
			return
		}
		io.Copy(io.Discard, r.Body)
		if r.URL.Query().Get("uploadType") == "resumable" && r.Method == http.MethodPost {
			h.Set("Location", "http://"+r.Host+r.URL.Path+"?uploadType=resumable&upload_id=1")
		}
		if chunk, more := strings.CutSuffix(r.Header.Get("Content-Range"), "/*"); more {
			_, last, _ := strings.Cut(chunk, "-")
			h.Set("Range", "bytes=0-"+last)
			h.Set("X-Http-Status-Code-Override", "308") // go on
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"generation": "1", "size": fmt.Sprint(size), "timeCreated": time.Now(), "crc32c": sum})
	}))
	tb.Cleanup(server.Close)
	return server
}

// zeroes is a body of n bytes that cannot be rewound.
func zeroes(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
