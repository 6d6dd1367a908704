package gcsblob

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// Put writes a blob: in one request, or in parts if it is large.
func (s *store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if err := cloud.CheckConditions(opts); err != nil {
		return driver.Info{}, err
	}
	name, err := s.name(key)
	if err != nil {
		return driver.Info{}, err
	}
	if generation, err := strconv.ParseUint(string(opts.IfVersion), 10, 64); opts.IfVersion != "" && (err != nil || generation == 0) {
		return driver.Info{}, &driver.Error{Kind: driver.Mismatch} // 0 would mean: if absent
	}
	upload := cloud.Upload{
		MaxParts: maxParts,
		Whole:    func(ctx context.Context, data []byte) (driver.Info, error) { return s.insert(ctx, name, data, opts) },
		Begin:    func(context.Context) (cloud.Parts, error) { return s.newParts(name, opts) },
	}
	info, err := upload.Put(ctx, body, size)
	info.Key = key
	if err != nil {
		return driver.Info{}, conditional(err, opts)
	}
	return info, nil
}

// condition is the precondition of a put, as a part of the query
// (https://cloud.google.com/storage/docs/request-preconditions).
func condition(opts driver.PutOptions) url.Values {
	switch {
	case opts.IfAbsent:
		return url.Values{"ifGenerationMatch": {"0"}}
	case opts.IfVersion != "":
		return url.Values{"ifGenerationMatch": {string(opts.IfVersion)}}
	}
	return url.Values{}
}

const contentType = "application/octet-stream"

// insert writes an object in one request. The service compares the checksum,
// which stands in front of the content
// (https://cloud.google.com/storage/docs/json_api/v1/objects/insert, multipart
// upload).
func (s *store) insert(ctx context.Context, name string, data []byte, opts driver.PutOptions) (driver.Info, error) {
	metadata, err := json.Marshal(map[string]string{"name": name, "crc32c": checksum(data)})
	if err != nil {
		return driver.Info{}, err
	}
	boundary := rand.Text()
	query := condition(opts)
	query.Set("uploadType", "multipart")
	written, err := s.askObject(ctx, request{
		method: http.MethodPost, path: s.uploadPath(), query: query,
		header: map[string]string{"Content-Type": "multipart/related; boundary=" + boundary},
		body: [][]byte{
			fmt.Appendf(nil, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n", boundary, metadata),
			fmt.Appendf(nil, "--%s\r\nContent-Type: %s\r\n\r\n", boundary, contentType),
			data,
			fmt.Appendf(nil, "\r\n--%s--\r\n", boundary),
		},
	})
	return written.info(""), err
}
