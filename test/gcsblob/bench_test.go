package gcsblob_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/TrilliantHealth/mops-go/blob"
	_ "github.com/TrilliantHealth/mops-go/blob/gcsblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/ratio"
)

// The benchmarks measure an operation and the SDK used bare, with its defaults,
// on the same emulator in turns, and report the median of the ratios.

// pair is a root, opened by us and bare.
type pair struct {
	*blob.Store
	bare *storage.BucketHandle
}

func newPair(b *testing.B) pair {
	b.Helper()
	server := emulator.GCS(b)
	return newPairAt(b, server.Root(b))
}

func newPairAt(b *testing.B, root string) pair {
	b.Helper()
	ours, err := blob.Open(b.Context(), root)
	if err != nil {
		b.Fatal(err)
	}
	at, err := url.Parse(root)
	if err != nil {
		b.Fatal(err)
	}
	client, err := storage.NewClient(b.Context(), option.WithEndpoint(at.Query().Get("endpoint")+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { client.Close() })
	return pair{ours, client.Bucket(at.Host)}
}

func (p pair) readBare(key string) error {
	r, err := p.bare.Object("root/" + key).NewReader(context.Background())
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

var record = bytes.Repeat([]byte("0123456789abcdef"), 38)

// BenchmarkHit: budget 1.15 alone, 1.2 with 64 side by side.
func BenchmarkHit(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			p := newPair(b)
			if _, err := p.PutBytes(b.Context(), "record", record, blob.PutOptions{}); err != nil {
				b.Fatal(err)
			}
			ratio.Turns(b, goroutines, 1000/goroutines, func() error {
				_, _, err := p.ReadAll(context.Background(), "record", nil)
				return err
			}, func() error { return p.readBare("record") })
		})
	}
}

// BenchmarkSwap writes a record over itself.
func BenchmarkSwap(b *testing.B) {
	p := newPair(b)
	info, err := p.PutBytes(b.Context(), "ours", record, blob.PutOptions{})
	if err != nil {
		b.Fatal(err)
	}
	bare := p.bare.Object("root/bare")
	var attrs storage.ObjectAttrs
	ratio.Turns(b, 1, 200, func() error {
		info, err = p.PutBytes(context.Background(), "ours", record, blob.PutOptions{IfVersion: info.Version})
		return err
	}, func() error {
		condition := storage.Conditions{DoesNotExist: true}
		if attrs.Generation != 0 {
			condition = storage.Conditions{GenerationMatch: attrs.Generation}
		}
		w := bare.If(condition).NewWriter(context.Background())
		w.ChunkSize = 0 // one request
		if _, err := w.Write(record); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		attrs = *w.Attrs()
		return nil
	})
}

var benchmarkSizes = []int64{64 << 20, 1 << 30}

// BenchmarkUpload is held against the SDK's writer, in chunks of 16 MiB one after
// the other, which is its default, and in one request, which is quicker while
// nothing fails: budget 1.1. The server here forgets what it gets. On the emulator, a
// composition copies and hashes all of it once more, which the service does not,
// and so does each of the SDK's chunks what came before it.
func BenchmarkUpload(b *testing.B) {
	for _, size := range benchmarkSizes {
		for name, chunk := range map[string]int{"chunks": googleapi.DefaultUploadChunkSize, "request": 0} {
			b.Run(fmt.Sprintf("%dMiB/%s", size>>20, name), func(b *testing.B) {
				p := newPairAt(b, "gs://bucket/root?endpoint="+newSink(b, size).URL)
				ratio.Turns(b, 1, 1, func() error {
					_, err := p.Put(context.Background(), "ours", zeroes(size), size, blob.PutOptions{})
					return err
				}, func() error {
					w := p.bare.Object("root/bare").NewWriter(context.Background())
					w.ChunkSize = chunk
					if _, err := io.Copy(w, zeroes(size)); err != nil {
						return err
					}
					return w.Close()
				})
			})
		}
	}
}

// BenchmarkDownload: budget 1.1.
func BenchmarkDownload(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			p := newPair(b)
			if _, err := p.Put(b.Context(), "blob", zeroes(size), size, blob.PutOptions{}); err != nil {
				b.Fatal(err)
			}
			ratio.Turns(b, 1, 1, func() error {
				body, _, err := p.Get(context.Background(), "blob", blob.Range{})
				if err != nil {
					return err
				}
				defer body.Close()
				_, err = io.Copy(io.Discard, body)
				return err
			}, func() error { return p.readBare("blob") })
		})
	}
}
