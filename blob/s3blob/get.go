package s3blob

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// Get opens a blob. It verifies a blob that is read whole by the checksum of
// the service.
func (s *store) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	if err := cloud.CheckRange(part); err != nil {
		return nil, driver.Info{}, err
	}
	name, err := s.name(key)
	if err != nil {
		return nil, driver.Info{}, err
	}
	input := &s3.GetObjectInput{Bucket: &s.address.Host, Key: name}
	if part == (driver.Range{}) {
		input.ChecksumMode = types.ChecksumModeEnabled
	} else {
		input.Range = aws.String(cloud.RangeHeader(part))
	}
	out, err := s.client.GetObject(ctx, input)
	if a, ok := answerOf(err); ok && a.status == http.StatusRequestedRangeNotSatisfiable {
		info, err := s.head(ctx, key)
		return cloud.BehindEnd(part, info, s.failure(err))
	}
	if err != nil {
		return nil, driver.Info{}, s.failure(err)
	}
	info, err := describe(key, out.ContentLength, out.LastModified, out.ETag)
	body := &cloud.Body{ReadCloser: &verified{out.Body, info.Size}, Transport: &s.transport, Length: info.Size}
	if err == nil && input.Range != nil {
		info.Size, err = totalSize(aws.ToString(out.ContentRange))
	}
	if err != nil {
		body.Close()
		return nil, driver.Info{}, err
	}
	return body, info, nil
}

// totalSize is the last number of "bytes 0-9/100".
func totalSize(contentRange string) (int64, error) {
	_, total, _ := strings.Cut(contentRange, "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if err != nil {
		return 0, &driver.Error{Kind: driver.Invalid, Err: errors.New("the service does not read parts of objects: its answer has no Content-Range")}
	}
	return size, nil
}

// verified tells a wrong checksum, which the SDK finds at the end of a body,
// from a connection that broke.
type verified struct {
	io.ReadCloser
	left int64
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.left -= int64(n)
	if err != nil && err != io.EOF && v.left <= 0 {
		err = &driver.Error{Kind: driver.Corrupt, Err: err}
	}
	return n, err
}

func (s *store) Slurp(ctx context.Context, key string, buf []byte, limit int64) ([]byte, driver.Info, error) {
	return cloud.Slurp(ctx, s, key, buf, limit)
}

func (s *store) Stat(ctx context.Context, key string) (driver.Info, error) {
	info, err := s.head(ctx, key)
	if a, ok := answerOf(err); ok && (a.status < 500 || a.status == http.StatusNotImplemented) {
		return s.reason(ctx, key)
	}
	return info, s.failure(err)
}

// head returns the errors of the SDK.
func (s *store) head(ctx context.Context, key string) (driver.Info, error) {
	name, err := s.name(key)
	if err != nil {
		return driver.Info{}, err
	}
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.address.Host, Key: name})
	if err != nil {
		return driver.Info{}, err
	}
	return describe(key, out.ContentLength, out.LastModified, out.ETag)
}

// reason asks again, with GET, after HEAD gave no reason: the answer says
// whether the blob or the bucket is missing, or what is forbidden or wrong.
func (s *store) reason(ctx context.Context, key string) (driver.Info, error) {
	body, info, err := s.Get(ctx, key, driver.Range{Length: 1})
	if err != nil {
		return driver.Info{}, err
	}
	return info, body.Close()
}
