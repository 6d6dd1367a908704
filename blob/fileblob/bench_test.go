package fileblob

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

// The benchmarks measure an operation and the bare one that it is held against
// in turns, and report the median of their ratios: on a busy machine nothing
// else can be compared. Folders are removed at the end only, since ext4 creates
// files slowly for a while after many were removed.

var record = bytes.Repeat([]byte("0123456789abcdef"), 34)[:536]

// turns runs both in turns, n times each in all, spread over so many goroutines.
func turns(b *testing.B, goroutines int, ours, bare func(goroutine, i int)) {
	const batch = 200
	measure := func(do func(goroutine, i int), from int) time.Duration {
		var wg sync.WaitGroup
		start := time.Now()
		for g := range goroutines {
			wg.Go(func() {
				for i := range batch {
					do(g, from+i)
				}
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	var ratios []float64
	var total, totalBare time.Duration
	rounds := b.N/batch/goroutines + 5
	for round := range rounds {
		var took, tookBare time.Duration
		if round%2 == 0 {
			took, tookBare = measure(ours, round*batch), measure(bare, round*batch)
		} else {
			tookBare, took = measure(bare, round*batch), measure(ours, round*batch)
		}
		ratios = append(ratios, float64(took)/float64(tookBare))
		total, totalBare = total+took, totalBare+tookBare
	}
	slices.Sort(ratios)
	operations := float64(rounds * batch * goroutines)
	b.ReportMetric(0, "ns/op") // of b.N, which does not mean anything here
	b.ReportMetric(float64(total.Nanoseconds())/operations, "ours-ns")
	b.ReportMetric(float64(totalBare.Nanoseconds())/operations, "bare-ns")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
}

func BenchmarkRead(b *testing.B) {
	s := openTemp(b)
	const key = "mops1/default/forecast/train@0/three-short-words.0123456789/result"
	if _, err := s.PutBytes(b.Context(), key, record, blob.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	path, _, err := s.LocalPath(b.Context(), key)
	if err != nil {
		b.Fatal(err)
	}
	for _, goroutines := range []int{1, 2, 16} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			buffers := make([][]byte, goroutines)
			turns(b, goroutines, func(g, _ int) {
				data, _, err := s.ReadAll(context.Background(), key, buffers[g][:0])
				if err != nil || len(data) != len(record) {
					b.Error(err)
				}
				buffers[g] = data
			}, func(int, int) {
				if data, err := os.ReadFile(path); err != nil || len(data) != len(record) {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkReadMiss is held against opening a file that is not there.
func BenchmarkReadMiss(b *testing.B) {
	s := openTemp(b)
	const folder = "mops1/default/forecast/train@0/three-short-words.0123456789"
	if _, err := s.PutBytes(b.Context(), folder+"/lease", record, blob.PutOptions{}); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(s.Driver().(*store).dir, folder, "result")
	turns(b, 1, func(int, int) {
		if _, _, err := s.ReadAll(context.Background(), folder+"/result", nil); !blob.Is(err, blob.NotFound) {
			b.Error(err)
		}
	}, func(int, int) {
		if _, err := os.ReadFile(path); !os.IsNotExist(err) {
			b.Error(err)
		}
	})
}

// BenchmarkPutIfAbsent is held against a temporary file that is renamed.
func BenchmarkPutIfAbsent(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			s := openTemp(b)
			bareRoot := b.TempDir()
			key := func(g, i int) string { return fmt.Sprintf("%d/%d/result", g, i) }
			turns(b, goroutines, func(g, i int) {
				if _, err := s.PutBytes(context.Background(), key(g, i), record, blob.PutOptions{IfAbsent: true}); err != nil {
					b.Error(err)
				}
			}, func(g, i int) {
				path := filepath.Join(bareRoot, key(g, i))
				if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
					b.Error(err)
				}
				if err := os.WriteFile(path+".tmp", record, 0o444); err != nil {
					b.Error(err)
				}
				if err := os.Rename(path+".tmp", path); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkSwap is held against a file renamed over the one before.
func BenchmarkSwap(b *testing.B) {
	s := openTemp(b)
	info, err := s.PutBytes(b.Context(), "lease", record, blob.PutOptions{})
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "lease")
	turns(b, 1, func(int, int) {
		if info, err = s.PutBytes(context.Background(), "lease", record, blob.PutOptions{IfVersion: info.Version}); err != nil {
			b.Fatal(err)
		}
	}, func(int, int) {
		if err := os.WriteFile(path+".tmp", record, 0o644); err != nil {
			b.Error(err)
		}
		if err := os.Rename(path+".tmp", path); err != nil {
			b.Error(err)
		}
	})
}
