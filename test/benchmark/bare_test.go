package benchmark

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"google.golang.org/api/option"

	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
)

// bare is an SDK as a program would use it that has no mops.
type bare interface {
	get(ctx context.Context, key string) error

	// put writes where there is nothing, or over a version, and returns the
	// version that it has written.
	put(ctx context.Context, key string, data []byte, over string) (version string, err error)
}

// bareOn is the SDK for the root, with which bare may compare.
func bareOn(b *testing.B, server *emulator.Server, root string) bare {
	b.Helper()
	u := must(url.Parse(root))
	endpoint := u.Query().Get("endpoint")
	switch u.Scheme {
	case "s3":
		loaded := must(config.LoadDefaultConfig(b.Context()))
		client := s3.NewFromConfig(loaded, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &endpoint, true })
		return bareS3{client, u.Host}
	case "adls":
		key := must(azblob.NewSharedKeyCredential(u.Host, server.Secret))
		client := must(container.NewClientWithSharedKeyCredential(endpoint+"/"+strings.Split(u.Path, "/")[1], key, nil))
		return bareAzure{client}
	case "gs":
		client := must(storage.NewClient(b.Context(), option.WithEndpoint(endpoint+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads()))
		b.Cleanup(func() { client.Close() })
		return bareGCS{client.Bucket(u.Host)}
	}
	panic(fmt.Sprint("no bare SDK for ", root))
}

func readAll(body io.ReadCloser) error {
	defer body.Close()
	_, err := io.Copy(io.Discard, body)
	return err
}

type bareS3 struct {
	client *s3.Client
	bucket string
}

func (s bareS3) get(ctx context.Context, key string) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return err
	}
	return readAll(out.Body)
}

func (s bareS3) put(ctx context.Context, key string, data []byte, over string) (string, error) {
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data)}
	if over == "" {
		in.IfNoneMatch = to.Ptr("*")
	} else {
		in.IfMatch = &over
	}
	out, err := s.client.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.ETag, nil
}

type bareAzure struct{ client *container.Client }

func (a bareAzure) get(ctx context.Context, key string) error {
	out, err := a.client.NewBlockBlobClient(key).DownloadStream(ctx, nil)
	if err != nil {
		return err
	}
	return readAll(out.Body)
}

func (a bareAzure) put(ctx context.Context, key string, data []byte, over string) (string, error) {
	conditions := &azblob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	if over != "" {
		conditions = &azblob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(over))}
	}
	out, err := a.client.NewBlockBlobClient(key).Upload(ctx, readSeekNopCloser{bytes.NewReader(data)},
		&blockblob.UploadOptions{AccessConditions: &azblob.AccessConditions{ModifiedAccessConditions: conditions}})
	if err != nil {
		return "", err
	}
	return string(*out.ETag), nil
}

type readSeekNopCloser struct{ io.ReadSeeker }

func (readSeekNopCloser) Close() error { return nil }

type bareGCS struct{ bucket *storage.BucketHandle }

func (g bareGCS) get(ctx context.Context, key string) error {
	body, err := g.bucket.Object(key).NewReader(ctx)
	if err != nil {
		return err
	}
	return readAll(body)
}

func (g bareGCS) put(ctx context.Context, key string, data []byte, over string) (string, error) {
	conditions := storage.Conditions{DoesNotExist: true}
	if over != "" {
		conditions = storage.Conditions{}
		if _, err := fmt.Sscan(over, &conditions.GenerationMatch); err != nil {
			return "", err
		}
	}
	w := g.bucket.Object(key).If(conditions).NewWriter(ctx)
	w.ChunkSize = 0 // small: one request
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return fmt.Sprint(w.Attrs().Generation), nil
}
