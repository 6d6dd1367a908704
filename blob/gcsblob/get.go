package gcsblob

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// Get opens a blob by one request
// (https://cloud.google.com/storage/docs/xml-api/get-object-download).
func (s *store) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if err := cloud.CheckRange(part); err != nil {
		return nil, driver.Info{}, err
	}
	name, err := s.name(key)
	if err != nil {
		return nil, driver.Info{}, err
	}
	header := map[string]string{"Accept-Encoding": "gzip"} // as stored: never unpacked on the way
	whole := part == driver.Range{}
	if !whole {
		header["Range"] = cloud.RangeHeader(part)
	}
	response, err := s.send(ctx, request{method: http.MethodGet, path: s.contentPath(name), header: header})
	if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
		info, err := s.Stat(ctx, key)
		return cloud.BehindEnd(part, info, err)
	}
	if err != nil {
		return nil, driver.Info{}, err
	}
	info, err := described(key, response)
	if err == nil {
		err = rightPart(part, response, info.Size)
	}
	if err != nil {
		response.Body.Close()
		return nil, driver.Info{}, err
	}
	body := &cloud.Body{ReadCloser: response.Body, Transport: s.transport, Length: lengthOf(part, info.Size)}
	if sum, ok := checksumOf(response.Header); ok && whole {
		body.Sum, body.Want = newCRC32C(), sum
	}
	return body, info, nil
}

// Slurp reads a small blob whole, by one request.
func (s *store) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	return cloud.Slurp(ctx, s, key, buf, limit)
}

// lengthOf is the number of bytes in a part of a blob of that size.
func lengthOf(part driver.Range, size int64) int64 {
	if part.Length == 0 {
		return size - part.Offset
	}
	return min(part.Length, size-part.Offset)
}

// rightPart fails if the response is not the part that was asked for.
func rightPart(part driver.Range, response *http.Response, size int64) error {
	status, length := http.StatusPartialContent, lengthOf(part, size)
	if part == (driver.Range{}) {
		status = http.StatusOK
	}
	if response.StatusCode == status && (response.ContentLength == length || response.ContentLength < 0) {
		return nil
	}
	return &driver.Error{Kind: driver.Unavailable, Err: fmt.Errorf("HTTP %d with %d bytes came, and not %d with %d: is there a proxy in between?",
		response.StatusCode, response.ContentLength, status, length)}
}

// described is the blob according to the header of a response with its content.
func described(key string, response *http.Response) (driver.Info, error) {
	h := response.Header
	size, err1 := strconv.ParseInt(h.Get("X-Goog-Stored-Content-Length"), 10, 64)
	written, err2 := http.ParseTime(h.Get("Last-Modified"))
	version := h.Get("X-Goog-Generation")
	if err1 != nil || err2 != nil || version == "" {
		return driver.Info{}, foreign(response.StatusCode)
	}
	return driver.Info{Key: key, Size: size, ModTime: written.UTC().Truncate(time.Second), Version: driver.Version(version)}, nil
}

// newCRC32C makes its table when it is needed first, not at the start of the
// program.
func newCRC32C() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// checksumOf is the CRC32C of the whole blob
// (https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash).
func checksumOf(h http.Header) ([]byte, bool) {
	for _, line := range h.Values("X-Goog-Hash") {
		for field := range strings.SplitSeq(line, ",") {
			if encoded, ok := strings.CutPrefix(strings.TrimSpace(field), "crc32c="); ok {
				sum, err := base64.StdEncoding.DecodeString(encoded)
				return sum, err == nil
			}
		}
	}
	return nil, false
}

// checksum is the CRC32C of data as the JSON API writes it: in base64, the
// highest byte first.
func checksum(data []byte) string {
	sum := newCRC32C()
	sum.Write(data)
	return base64.StdEncoding.EncodeToString(sum.Sum(nil))
}
