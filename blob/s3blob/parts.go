package s3blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// upload is an object that is stored in parts. The conditions count when the
// upload is completed.
type upload struct {
	object
	id    *string
	begun time.Time // S3 dates the object by it
	nonce string    // in the object's metadata, to recognise it

	mu    sync.Mutex
	parts map[int]types.CompletedPart
}

const nonceName = "mops-upload"

// abortTime bounds the attempts to drop parts.
const abortTime = 10 * time.Second

func (o object) begin(ctx context.Context) (*upload, error) {
	u := &upload{object: o, nonce: rand.Text(), parts: map[int]types.CompletedPart{}}
	out, err := o.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &o.address.Host, Key: o.name,
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		ChecksumType:      types.ChecksumTypeFullObject, // a reader can verify it, unlike one made from those of the parts
		Metadata:          map[string]string{nonceName: u.nonce}})
	if err != nil {
		return nil, o.failure(err)
	}
	u.id = out.UploadId
	u.begun, _ = awsmiddleware.GetServerTime(out.ResultMetadata)
	return u, nil
}

func (u *upload) Put(ctx context.Context, n int, data []byte) error {
	number, sum := aws.Int32(int32(n)), checksum(data)
	out, err := u.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.address.Host, Key: u.name, UploadId: u.id,
		PartNumber: number, Body: bytes.NewReader(data), ChecksumCRC32: sum}, withoutAsking)
	if err != nil {
		return u.failure(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[n] = types.CompletedPart{PartNumber: number, ETag: out.ETag, ChecksumCRC32: sum}
	return nil
}

// withoutAsking saves a round trip for each part: no condition could refuse it
// before its bytes are sent.
func withoutAsking(o *s3.Options) { o.ContinueHeaderThresholdBytes = -1 }

// Complete makes an object of the parts. The acknowledgement may be lost, and
// S3's answer to a second request is not defined for all cases (200 for some
// time, NoSuchUpload, or a broken condition: broken by our own object). So in
// doubt Complete looks whose object is there.
func (u *upload) Complete(ctx context.Context, n int, size int64) (driver.Info, error) {
	input := &s3.CompleteMultipartUploadInput{Bucket: &u.address.Host, Key: u.name, UploadId: u.id,
		ChecksumType: types.ChecksumTypeFullObject, MpuObjectSize: aws.Int64(size), MultipartUpload: &types.CompletedMultipartUpload{}}
	for i := range n {
		input.MultipartUpload.Parts = append(input.MultipartUpload.Parts, u.parts[i+1])
	}
	input.IfMatch, input.IfNoneMatch = u.conditions()

	var etag *string
	var refusal error
	perhaps := false // an earlier try may have succeeded
	err := blob.RetryPolicy{}.Do(ctx, func() error {
		out, err := u.client.CompleteMultipartUpload(ctx, input)
		if err == nil {
			etag = out.ETag
			return nil
		}
		// A conflict is final, too: S3 wants the parts again (API Reference,
		// CompleteMultipartUpload, If-None-Match).
		if a, ok := answerOf(err); ok && a.status < 500 {
			refusal = u.refused(err)
			return nil
		}
		perhaps = true
		return u.failure(err)
	})
	if err == nil {
		err = refusal
	}
	if err != nil && perhaps {
		etag = u.ours(ctx)
	}
	if err != nil && etag == nil {
		return driver.Info{}, err
	}
	return describe(u.key, &size, &u.begun, etag)
}

// ours is the ETag of the object at the key, if it was made of our parts; else
// nil.
func (u *upload) ours(ctx context.Context) *string {
	out, err := u.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.address.Host, Key: u.name})
	if err != nil || out.Metadata[nonceName] != u.nonce {
		return nil
	}
	return out.ETag
}

// Abort drops the parts.
func (u *upload) Abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, abortTime)
	defer cancel()
	blob.RetryPolicy{}.Do(ctx, func() error {
		_, err := u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.address.Host, Key: u.name, UploadId: u.id})
		if a, ok := answerOf(err); ok && a.status < 500 {
			return nil // S3 does not know the parts, or will never tell
		}
		return u.failure(err)
	})
}
