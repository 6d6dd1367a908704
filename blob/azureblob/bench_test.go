package azureblob

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/internal/cloud"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/ratio"
)

// The benchmarks measure an operation and the bare SDK's time for the same, in
// turns, and report the median of their ratios: on a busy machine nothing else
// can be compared.

// openBoth opens a root, and its blobs with the bare SDK.
func openBoth(b *testing.B) (*blob.Store, func(key string) *blockblob.Client) {
	b.Helper()
	uri := emulator.Azurite(b).Root(b)
	s := openRoot(b, uri)
	p := s.Driver().(*store).place
	c, err := credentialsOf(&p)
	if err != nil {
		b.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(p.url(), c.key, nil)
	if err != nil {
		b.Fatal(err)
	}
	return s, func(key string) *blockblob.Client { return client.NewBlockBlobClient(p.address.Prefix(key)) }
}

// BenchmarkHit reads a small record, 50 times a turn.
func BenchmarkHit(b *testing.B) {
	s, bare := openBoth(b)
	ctx := b.Context()
	record := bytes.Repeat([]byte("0123456789abcdef"), 34)
	if _, err := s.PutBytes(ctx, "result", record, blob.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	var buf []byte
	ratio.Turns(b, 1, 50, func() error {
		data, _, err := s.ReadAll(ctx, "result", buf[:0])
		buf = data
		return err
	}, func() error {
		r, err := bare("result").DownloadStream(ctx, nil)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		_, err = io.ReadAll(r.Body)
		return err
	})
}

var sizes = []int64{64 << 20, 1 << 30}

// BenchmarkUpload is held against blockblob.Client.UploadStream, with blocks as large
// as ours and as many side by side. It sends no checksums, and for blocks without any
// Azurite computes a CRC-64 in JavaScript: so ours takes half as long.
func BenchmarkUpload(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size>>20, "MiB"), func(b *testing.B) {
			s, bare := openBoth(b)
			ctx := b.Context()
			ratio.Turns(b, 1, 1, func() error {
				_, err := s.Put(ctx, "ours", noise(size), size, blob.PutOptions{})
				return err
			}, func() error {
				_, err := bare("bare").UploadStream(ctx, noise(size), &blockblob.UploadStreamOptions{BlockSize: cloud.PartSize, Concurrency: 5})
				return err
			})
		})
	}
}

// BenchmarkDownload is held against blob.Client.DownloadStream.
func BenchmarkDownload(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size>>20, "MiB"), func(b *testing.B) {
			s, bare := openBoth(b)
			ctx := b.Context()
			if _, err := s.Put(ctx, "blob", noise(size), size, blob.PutOptions{}); err != nil {
				b.Fatal(err)
			}
			ratio.Turns(b, 1, 1, func() error {
				body, _, err := s.Get(ctx, "blob", blob.Range{})
				if err != nil {
					return err
				}
				return expectLength(body, size)
			}, func() error {
				r, err := bare("blob").DownloadStream(ctx, nil)
				if err != nil {
					return err
				}
				return expectLength(r.NewRetryReader(ctx, nil), size)
			})
		})
	}
}

func expectLength(body io.ReadCloser, size int64) error {
	defer body.Close()
	n, err := io.Copy(io.Discard, body)
	if err == nil && n != size {
		err = fmt.Errorf("%d bytes came, not %d", n, size)
	}
	return err
}

func noise(size int64) io.Reader { return io.LimitReader(&repeated{}, size) }

var block = func() []byte {
	data := make([]byte, 1<<20+7)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(data); i++ {
		data[i] = byte(r.Uint32())
	}
	return data
}()

type repeated struct{ at int }

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, block[r.at:])
	r.at = (r.at + n) % len(block)
	return n, nil
}
