package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Serve lets other processes reach a store, until the test ends, by the URI
// that it returns. To them it is a store on another machine. The programs that
// use it call [RegisterServed].
func Serve(t testing.TB, s *blob.Store) (uri string) {
	t.Helper()
	server := httptest.NewServer(served{s.Driver()})
	t.Cleanup(server.Close)
	return servedScheme + "://" + server.Listener.Addr().String()
}

// served answers for a store:
//
//	GET, HEAD, PUT, DELETE /<key>      with the usual headers for ranges and conditions
//	GET /?list=<prefix>&start=<key>    a line for each blob
//	GET /?clock
//
// The fields of Info, and the kind of an error, are in headers of their own.
type served struct{ driver.Store }

const (
	headerVersion = "Blob-Version"
	headerSize    = "Blob-Size"
	headerTime    = "Blob-Time" // ns since 1970
	headerKind    = "Blob-Kind" // of an error, as a number
)

func (s served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Path[1:]
	var err error
	switch query := r.URL.Query(); {
	case query.Has("list"):
		err = s.list(w, r.Context(), query.Get("list"), query.Get("start"))
	case query.Has("clock"):
		err = s.clock(w, r.Context())
	case r.Method == http.MethodGet:
		err = s.get(w, r, key)
	case r.Method == http.MethodHead:
		var info driver.Info
		if info, err = s.Stat(r.Context(), key); err == nil {
			describe(w, info)
		}
	case r.Method == http.MethodPut:
		var info driver.Info
		var size int64
		if size, err = strconv.ParseInt(r.Header.Get(headerSize), 10, 64); err != nil {
			break
		}
		opts := driver.PutOptions{IfAbsent: r.Header.Get("If-None-Match") != "", IfVersion: driver.Version(r.Header.Get("If-Match"))}
		if info, err = s.Put(r.Context(), key, r.Body, size, opts); err == nil {
			describe(w, info)
		}
	case r.Method == http.MethodDelete:
		err = s.Delete(r.Context(), key)
	}
	if err != nil {
		w.Header().Set(headerKind, strconv.Itoa(int(blob.KindOf(err))))
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func describe(w http.ResponseWriter, info driver.Info) {
	w.Header().Set(headerVersion, string(info.Version))
	w.Header().Set(headerSize, strconv.FormatInt(info.Size, 10))
	w.Header().Set(headerTime, strconv.FormatInt(info.ModTime.UnixNano(), 10))
}

func (s served) get(w http.ResponseWriter, r *http.Request, key string) error {
	var part driver.Range
	var last int64
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &part.Offset, &last); n == 2 {
		part.Length = last + 1 - part.Offset
	}
	body, info, err := s.Get(r.Context(), key, part)
	if err != nil {
		return err
	}
	defer body.Close()
	describe(w, info)
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // so that the reader sees that it was cut
	}
	return nil
}

func (s served) list(w io.Writer, ctx context.Context, prefix, startAt string) error {
	for info, err := range s.List(ctx, prefix, startAt) {
		if err != nil {
			return err
		}
		fmt.Fprintln(w, url.QueryEscape(info.Key), info.Size, info.ModTime.UnixNano(), url.QueryEscape(string(info.Version)))
	}
	return nil
}

func (s served) clock(w http.ResponseWriter, ctx context.Context) error {
	clock, ok := s.Store.(driver.Clock)
	if !ok {
		return errors.ErrUnsupported
	}
	now, err := clock.Now(ctx)
	if err == nil {
		describe(w, driver.Info{ModTime: now})
	}
	return err
}

// infoOf is the inverse of describe.
func infoOf(key string, header http.Header) (driver.Info, error) {
	size, err1 := strconv.ParseInt(header.Get(headerSize), 10, 64)
	at, err2 := strconv.ParseInt(header.Get(headerTime), 10, 64)
	return driver.Info{Key: key, Size: size, ModTime: time.Unix(0, at), Version: driver.Version(header.Get(headerVersion))}, errors.Join(err1, err2)
}
