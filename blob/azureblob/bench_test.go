package azureblob

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/emulator"
)

// The benchmarks measure an operation and what the bare SDK takes for the same, in
// turns, and report the median of their ratios: on a busy machine nothing else can be
// compared.

func turns(b *testing.B, rounds int, ours, bare func()) {
	measure := func(do func()) time.Duration {
		start := time.Now()
		do()
		return time.Since(start)
	}
	var ratios, all []float64
	for round := range rounds {
		var took, tookBare time.Duration
		if round%2 == 0 {
			took, tookBare = measure(ours), measure(bare)
		} else {
			tookBare, took = measure(bare), measure(ours)
		}
		ratios, all = append(ratios, took.Seconds()/tookBare.Seconds()), append(all, took.Seconds())
	}
	slices.Sort(ratios)
	slices.Sort(all)
	b.ReportMetric(0, "ns/op") // of b.N, which does not mean anything here
	b.ReportMetric(all[len(all)/2]*1e3, "ours-ms")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}

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
	turns(b, b.N/50+20, func() {
		for range 50 {
			data, _, err := s.ReadAll(ctx, "result", buf[:0])
			if err != nil || len(data) != len(record) {
				b.Fatal(err)
			}
			buf = data
		}
	}, func() {
		for range 50 {
			r, err := bare("result").DownloadStream(ctx, nil)
			if err != nil {
				b.Fatal(err)
			}
			data, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil || len(data) != len(record) {
				b.Fatal(err)
			}
		}
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
			turns(b, roundsOf(size), func() {
				if _, err := s.Put(ctx, "ours", noise(size), size, blob.PutOptions{}); err != nil {
					b.Fatal(err)
				}
			}, func() {
				_, err := bare("bare").UploadStream(ctx, noise(size), &blockblob.UploadStreamOptions{BlockSize: 8 << 20, Concurrency: 4})
				if err != nil {
					b.Fatal(err)
				}
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
			turns(b, roundsOf(size), func() {
				body, _, err := s.Get(ctx, "blob", blob.Range{})
				if err != nil {
					b.Fatal(err)
				}
				expectLength(b, body, size)
			}, func() {
				r, err := bare("blob").DownloadStream(ctx, nil)
				if err != nil {
					b.Fatal(err)
				}
				expectLength(b, r.NewRetryReader(ctx, nil), size)
			})
		})
	}
}

func roundsOf(size int64) int { return int(max(3, 1<<30/size)) }

func expectLength(b *testing.B, body io.ReadCloser, size int64) {
	b.Helper()
	n, err := io.Copy(io.Discard, body)
	if body.Close(); n != size || err != nil {
		b.Fatalf("%d bytes, %v", n, err)
	}
}

// noise is so many bytes, in no memory.
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
