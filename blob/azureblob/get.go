package azureblob

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

func (s *store) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if err := cloud.CheckRange(part); err != nil {
		return nil, driver.Info{}, err
	}
	client, err := s.blob(key)
	if err != nil {
		return nil, driver.Info{}, err
	}
	r, err := client.DownloadStream(ctx, &azblob.DownloadStreamOptions{Range: azblob.HTTPRange{Offset: part.Offset, Count: part.Length}})
	if codeOf(err) == bloberror.InvalidRange {
		info, err := s.Stat(ctx, key)
		return cloud.BehindEnd(part, info, err)
	}
	if err != nil {
		return nil, driver.Info{}, s.failure(err)
	}
	info, err := describe(key, r.ContentLength, r.ETag, r.LastModified, r.Metadata)
	if err != nil {
		r.Body.Close()
		return nil, driver.Info{}, err
	}
	body := &cloud.Body{ReadCloser: r.Body, Transport: s.transport, Length: info.Size}
	if r.ContentRange != nil {
		_, total, _ := strings.Cut(*r.ContentRange, "/") // bytes 0-9/100
		info.Size, err = strconv.ParseInt(total, 10, 64)
	} else {
		body.Sum, body.Want = wantedSum(r.Metadata, r.ContentMD5)
	}
	if err != nil {
		r.Body.Close()
		return nil, driver.Info{}, &driver.Error{Kind: driver.Unavailable, Err: err}
	}
	return body, info, nil
}

// Slurp reads a blob whole, with one request.
func (s *store) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	return cloud.Slurp(ctx, s, key, buf, limit)
}

func (s *store) Stat(ctx context.Context, key string) (driver.Info, error) {
	client, err := s.blob(key)
	if err != nil {
		return driver.Info{}, err
	}
	r, err := client.GetProperties(ctx, nil)
	if err != nil {
		return driver.Info{}, s.failure(err)
	}
	return describe(key, r.ContentLength, r.ETag, r.LastModified, r.Metadata)
}

// describe makes an Info from the fields of an answer.
func describe(key string, size *int64, tag *azcore.ETag, modified *time.Time, metadata map[string]*string) (driver.Info, error) {
	switch {
	case isFolder(metadata):
		return driver.Info{}, &driver.Error{Kind: driver.NotFound, Err: errors.New("there is a folder")}
	case size == nil || tag == nil || modified == nil:
		return driver.Info{}, &driver.Error{Kind: driver.Unavailable, Err: errors.New("the answer has no length, no ETag or no date; is there a proxy that takes them away?")}
	}
	return driver.Info{Key: key, Size: *size, ModTime: modified.UTC(), Version: versionOf(*tag)}, nil
}

// versionOf is the ETag without its quotes, which lists leave out.
func versionOf(tag azcore.ETag) driver.Version {
	return driver.Version(strings.Trim(string(tag), `"`))
}

// isFolder reports whether the metadata is that of a folder in a hierarchical
// namespace: the blob service marks folders so.
func isFolder(metadata map[string]*string) bool {
	for name, value := range metadata { // HTTP changes the case of names
		if strings.EqualFold(name, "hdi_isfolder") && value != nil && strings.EqualFold(*value, "true") {
			return true
		}
	}
	return false
}

// sumName is the metadata that holds the CRC-32C of a whole blob, in
// hexadecimal. The service keeps an MD5 for blobs in one request, and for blobs
// in blocks the one that it is given; but computing an MD5 takes longer than
// all the rest of reading a large blob from a fast network, while processors
// have an instruction for CRC-32C.
const sumName = "mops_crc32c"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newSum() hash.Hash { return crc32.New(castagnoli) }

func metadataOf(sum hash.Hash) map[string]*string {
	return map[string]*string{sumName: to.Ptr(hex.EncodeToString(sum.Sum(nil)))}
}

// wantedSum is how to verify a blob that is read whole, and the expected sum:
// nil if the service has neither.
func wantedSum(metadata map[string]*string, contentMD5 []byte) (hash.Hash, []byte) {
	for name, value := range metadata { // HTTP changes the case of names
		if !strings.EqualFold(name, sumName) || value == nil {
			continue
		}
		if want, err := hex.DecodeString(*value); err == nil && len(want) == crc32.Size {
			return newSum(), want
		}
	}
	if len(contentMD5) == md5.Size {
		return md5.New(), contentMD5
	}
	return nil, nil
}
