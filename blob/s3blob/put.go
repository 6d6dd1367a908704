package s3blob

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
)

// maxParts is how many parts an object may have (Amazon S3 User Guide, "Amazon
// S3 multipart upload limits").
const maxParts = 10_000

// Put stores a blob: with one request up to 5 MiB, in parts above.
func (s *store) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if err := cloud.CheckConditions(opts); err != nil {
		return driver.Info{}, err
	}
	o, err := s.object(key, opts)
	if err != nil {
		return driver.Info{}, err
	}
	return cloud.Upload{
		MaxParts: maxParts,
		Whole: func(ctx context.Context, data []byte) (driver.Info, error) {
			if err := o.heeded(ctx, &s.heeds.whole, s.probeWhole); err != nil {
				return driver.Info{}, err
			}
			return o.put(ctx, data)
		},
		Begin: func(ctx context.Context) (cloud.Parts, error) {
			if err := o.heeded(ctx, &s.heeds.parts, s.probeParts); err != nil {
				return nil, err
			}
			return o.begin(ctx)
		},
	}.Put(ctx, body, size)
}

// object is an object to store.
type object struct {
	*store
	key  string
	name *string // of the object in S3
	opts driver.PutOptions
}

func (s *store) object(key string, opts driver.PutOptions) (object, error) {
	name, err := s.name(key)
	return object{s, key, name, opts}, err
}

func (o object) conditional() bool { return o.opts.IfAbsent || o.opts.IfVersion != "" }

// heeded makes sure that the service heeds the conditions, if there are any.
func (o object) heeded(ctx context.Context, v *verdict, probe func(context.Context) error) error {
	if !o.conditional() {
		return nil
	}
	return v.get(ctx, probe)
}

// conditions are those of the put, as headers; nil for none.
func (o object) conditions() (ifMatch, ifNoneMatch *string) {
	if o.opts.IfVersion != "" {
		ifMatch = aws.String(`"` + string(o.opts.IfVersion) + `"`)
	}
	if o.opts.IfAbsent {
		ifNoneMatch = aws.String("*")
	}
	return ifMatch, ifNoneMatch
}

func (o object) put(ctx context.Context, data []byte) (driver.Info, error) {
	input := &s3.PutObjectInput{Bucket: &o.address.Host, Key: o.name, Body: bytes.NewReader(data), ChecksumCRC32: checksum(data)}
	input.IfMatch, input.IfNoneMatch = o.conditions()
	out, err := o.client.PutObject(ctx, input)
	if err != nil {
		return driver.Info{}, o.refused(err)
	}
	at, _ := awsmiddleware.GetServerTime(out.ResultMetadata)
	return describe(o.key, aws.Int64(int64(len(data))), &at, out.ETag)
}

// refused turns an error into the broken condition, if one broke (Amazon S3
// User Guide, "How to prevent object overwrites with conditional writes").
func (o object) refused(err error) error {
	a, ok := answerOf(err)
	switch {
	case !ok || !o.conditional():
	case a.status == http.StatusPreconditionFailed && o.opts.IfAbsent:
		return &driver.Error{Kind: driver.Exists}
	case a.status == http.StatusPreconditionFailed, a.code == "NoSuchKey":
		return &driver.Error{Kind: driver.Mismatch}
	}
	return o.failure(err)
}

// checksum is the value of x-amz-checksum-crc32 for data. CRC-32 is the
// cheapest that S3 has, and S3 has it for objects in parts as well.
func checksum(data []byte) *string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data))
	return aws.String(base64.StdEncoding.EncodeToString(sum))
}
