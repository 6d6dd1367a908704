package gcsblob

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// newSink starts a server that only moves bytes: it forgets puts, and serves
// each object as size zeroes. It calls after behind each request.
func newSink(tb testing.TB, size int64, after func()) *httptest.Server {
	some := make([]byte, 1<<20)
	hash := newCRC32C()
	io.Copy(hash, zeroes(size))
	sum := base64.StdEncoding.EncodeToString(hash.Sum(nil))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer after()
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
		json.NewEncoder(w).Encode(map[string]any{"generation": "1", "size": fmt.Sprint(size), "timeCreated": time.Now(), "crc32c": sum})
	}))
	tb.Cleanup(server.Close)
	return server
}

// zeroes is a body of n bytes that cannot be rewound.
func zeroes(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
