package benchmark

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// 100,000 hits in a program whose run is kept, against the same in one whose run is
// not: 1 % at most, and little in the store.
func BenchmarkHitsOfARun(b *testing.B) {
	root := b.TempDir()
	kept, close := beside(b, root, true)
	bare, closeBare := beside(b, root, false)
	const calls = 512
	for i := range calls {
		must(small.Call(kept, numbered(i)))
	}
	hits := func(ctx context.Context) func(int) {
		return func(int) {
			for i := range 10_000 {
				must(small.Call(ctx, numbered(i%calls)))
			}
		}
	}
	compare(b, 1, 10_000, 1.01, hits(kept), hits(bare))
	close()
	closeBare()
	var size int64
	files, err := filepath.Glob(filepath.Join(root, "mops1-runs", "*", "*"))
	for _, file := range files {
		size += must(os.Stat(file)).Size()
	}
	if err != nil || len(files) < 3 {
		b.Errorf("the run left %q, %v", files, err)
	}
	b.ReportMetric(float64(size)/1e6, "MB")
}

// beside is one of two environments over one root.
func beside(b *testing.B, root string, keep bool) (ctx context.Context, closeIt func()) {
	b.Helper()
	env, err := mops.New(b.Context(), mops.Root("file://"+root), mops.CacheDir(b.TempDir()), mops.KeepRun(keep))
	if err != nil {
		b.Fatal(err)
	}
	return env.Context(b.Context()), func() {
		if err := env.Close(); err != nil {
			b.Error(err)
		}
	}
}
