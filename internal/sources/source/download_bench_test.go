package source

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// faraway is a store that takes its time to answer, and then gives each
// connection so many bytes per second.
type faraway struct {
	driver.Store
	latency time.Duration
	rate    float64
}

func (s faraway) Get(ctx context.Context, key string, part driver.Range) (io.ReadCloser, driver.Info, error) {
	time.Sleep(s.latency)
	body, info, err := s.Store.Get(ctx, key, part)
	if err == nil {
		body = &slowBody{body, time.Now(), 0, s.rate}
	}
	return body, info, err
}

type slowBody struct {
	io.ReadCloser
	began time.Time
	read  int
	rate  float64
}

func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), 64<<10)])
	b.read += n
	time.Sleep(time.Until(b.began.Add(time.Duration(float64(b.read) / b.rate * float64(time.Second)))))
	return n, err
}

// BenchmarkDownload compares a download of 256 MiB (32 MiB with -short) with one
// that has a single stream, from a store that behaves like a cloud's: 20 ms and
// 60 MB/s. It tells how many times as fast it is.
func BenchmarkDownload(b *testing.B) {
	small := rangeSize // of tests
	rangeSize = 8 << 20
	b.Cleanup(func() { rangeSize = small })
	size := int64(256 << 20)
	if testing.Short() {
		size = 32 << 20
	}
	path := filepath.Join(b.TempDir(), "big")
	bigFile(b, path, size)
	bare := remoteStore(b)
	store := blob.New(bare.Root(), faraway{bare.Driver(), 20 * time.Millisecond, 60e6})
	f := newFiles(b)
	r := asArgument(b, f, store, File(path))
	var ratios []float64
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		if err := oneStream(b.Context(), store, BlobKey(r.Hash()), path+strconv.Itoa(i)); err != nil {
			b.Fatal(err)
		}
		single := time.Since(began)
		began = time.Now()
		got := must(r.Path(b.Context()))(b)
		took := time.Since(began)
		ratios = append(ratios, single.Seconds()/took.Seconds())
		b.Logf("one stream %.2fs, ranges %.2fs", single.Seconds(), took.Seconds())
		os.Remove(got)
		os.Remove(path + strconv.Itoa(i))
	}
	b.ReportMetric(median(ratios), "times-as-fast")
}

func oneStream(ctx context.Context, store *blob.Store, key, to string) error {
	body, _, err := store.Get(ctx, key, blob.Range{})
	if err != nil {
		return err
	}
	defer body.Close()
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(io.MultiWriter(file, sha256.New()), body)
	return err
}
