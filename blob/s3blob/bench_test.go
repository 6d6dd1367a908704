package s3blob

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/ratio"
)

// The benchmarks measure an operation and the SDK used bare, with its defaults,
// on the same service in turns, and report the median of the ratios. The
// service runs in the same process, so both pay for it. Records go into and
// come from gofakes3; large objects go to a service that keeps nothing and
// costs little, so that the clients' time shows: gofakes3 takes longer than
// both.

// pair is a root, opened by us and bare.
type pair struct {
	*blob.Store
	bare   *s3.Client
	bucket *string
}

func newPair(b *testing.B, ours *blob.Store) pair {
	b.Helper()
	s := ours.Driver().(*store)
	cfg, err := config.LoadDefaultConfig(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	bare := s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &s.endpoint, true })
	return pair{ours, bare, &s.address.Host}
}

var record = bytes.Repeat([]byte("0123456789abcdef"), 64)

// BenchmarkHit: budget 1.15.
func BenchmarkHit(b *testing.B) {
	p := newPair(b, mustOpen(b, emulator.S3(b).Root(b)))
	if _, err := p.PutBytes(b.Context(), "record", record, blob.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	var buffer []byte
	ratio.Turns(b, 1, 100, func() error {
		data, _, err := p.ReadAll(context.Background(), "record", buffer[:0])
		buffer = data
		return err
	}, func() error {
		out, err := p.bare.GetObject(context.Background(), &s3.GetObjectInput{Bucket: p.bucket, Key: aws.String("a/root/record")})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		_, err = io.ReadAll(out.Body)
		return err
	})
}

// BenchmarkRecord puts a record if absent: budget 1.15.
func BenchmarkRecord(b *testing.B) {
	p := newPair(b, mustOpen(b, emulator.S3(b).Root(b)))
	n := 0
	ratio.Turns(b, 1, 100, func() error {
		n++
		_, err := p.PutBytes(context.Background(), fmt.Sprint("ours/", n), record, blob.PutOptions{IfAbsent: true})
		return err
	}, func() error {
		n++
		_, err := p.bare.PutObject(context.Background(), &s3.PutObjectInput{Bucket: p.bucket, Key: aws.String(fmt.Sprint("a/root/bare/", n)),
			Body: bytes.NewReader(record), IfNoneMatch: aws.String("*")})
		return err
	})
}

const part = cloud.PartSize

// bareUpload uploads parts of the same size as ours, five side by side, as the
// SDK's documentation has it for large objects.
func (p pair) bareUpload(ctx context.Context, key string, body io.Reader, size int64) error {
	created, err := p.bare.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: p.bucket, Key: &key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	if err != nil {
		return err
	}
	parts := make([]types.CompletedPart, (size+part-1)/part)
	buffers := make(chan []byte, 5)
	for range cap(buffers) {
		buffers <- make([]byte, part)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range parts {
		buffer := <-buffers
		n, err := io.ReadFull(body, buffer)
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		group.Go(func() error {
			defer func() { buffers <- buffer }()
			out, err := p.bare.UploadPart(groupCtx, &s3.UploadPartInput{Bucket: p.bucket, Key: &key, UploadId: created.UploadId,
				PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(buffer[:n])})
			if err == nil {
				parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = p.bare.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: p.bucket, Key: &key, UploadId: created.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return err
}

var sizes = map[string]int64{"64MiB": 64 << 20, "1GiB": 1 << 30}

// BenchmarkUp: budget 1.1.
func BenchmarkUp(b *testing.B) {
	for _, name := range []string{"64MiB", "1GiB"} {
		b.Run(name, func(b *testing.B) {
			size := sizes[name]
			s, _ := newSink(b, size)
			p := newPair(b, s)
			ratio.Turns(b, 1, 1, func() error {
				_, err := p.Put(context.Background(), "big", zeros(size), size, blob.PutOptions{})
				return err
			}, func() error { return p.bareUpload(context.Background(), "a/root/big", zeros(size), size) })
		})
	}
}

// BenchmarkDown: budget 1.1.
func BenchmarkDown(b *testing.B) {
	for _, name := range []string{"64MiB", "1GiB"} {
		b.Run(name, func(b *testing.B) {
			size := sizes[name]
			s, _ := newSink(b, size)
			p := newPair(b, s)
			ratio.Turns(b, 1, 1, func() error {
				body, _, err := p.Get(context.Background(), "big", blob.Range{})
				return discard(body, err)
			}, func() error {
				out, err := p.bare.GetObject(context.Background(), &s3.GetObjectInput{Bucket: p.bucket, Key: aws.String("a/root/big")})
				if err != nil {
					return err
				}
				return discard(out.Body, nil)
			})
		})
	}
}

func discard(body io.ReadCloser, err error) error {
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}
