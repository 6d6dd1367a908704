package benchmark

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

type input struct {
	Name  string
	Index int
	Rate  float64
}

type output struct {
	Name   string
	Values []float64
}

var small = mops.Define("benchmark/small", func(_ context.Context, in input) (output, error) {
	return output{Name: in.Name, Values: []float64{in.Rate, in.Rate * 2, in.Rate * 3}}, nil
})

// Its results name their code, and hits compare it.
func init() {
	mops.Locked("mops lock 1\n\nfunction benchmark/small\nversion 0\nplatform linux/amd64\ngo go1.26\n" +
		"package example.com/benchmark\ncode 5783acc6595783acc6595783acc65900\n")
}

func numbered(i int) input { return input{Name: "benchmark", Index: i, Rate: 0.5} }

// A hit against reading the same record with os.ReadFile.
func BenchmarkHit(b *testing.B) {
	for _, goroutines := range []int{1, 2, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			ctx, _ := environment(b)
			const calls = 512
			paths := make([]string, calls)
			for i := range calls {
				_, info, err := small.Do(ctx, numbered(i))
				must(info, err)
				paths[i] = filepath.Join(strings.TrimPrefix(info.URI, "file://"), "result")
			}
			hit := func(i int) { must(small.Call(ctx, numbered(max(i, 0)%calls))) }
			read := func(i int) { must(os.ReadFile(paths[max(i, 0)%calls])) }
			compare(b, 8, goroutines*64, 1.5, sideBySide(goroutines, 64, hit), sideBySide(goroutines, 64, read))
		})
	}
}

// A hit that this machine had before, on a root elsewhere, against reading the
// same record with os.ReadFile.
func BenchmarkCachedHit(b *testing.B) {
	for _, goroutines := range []int{1, 2, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			root := b.TempDir()
			ctx, _ := environment(b, mops.Root("afar://"+root), mops.ReadCache(1<<30))
			const calls = 512
			paths := make([]string, calls)
			for i := range calls {
				_, info, err := small.Do(ctx, numbered(i))
				must(info, err)
				paths[i] = filepath.Join(strings.TrimPrefix(info.URI, "afar://"), "result")
			}
			hit := func(i int) { must(small.Call(ctx, numbered(max(i, 0)%calls))) }
			read := func(i int) { must(os.ReadFile(paths[max(i, 0)%calls])) }
			asked := afar.Counts().Total()
			compare(b, 8, goroutines*64, 2, sideBySide(goroutines, 64, hit), sideBySide(goroutines, 64, read))
			if n := afar.Counts().Total() - asked; n != 0 {
				b.Errorf("%d operations on the root", n)
			}
		})
	}
}

// afar is what was asked of roots such as afar:///folder, which lie in a folder
// of this machine and do not say so.
var afar *blobcount.Counter

func init() {
	blob.Register("afar", func(ctx context.Context, uri string) (driver.Store, error) {
		files, err := blob.Open(ctx, "file"+strings.TrimPrefix(uri, "afar"))
		if err != nil {
			return nil, err
		}
		var counted *blob.Store
		counted, afar = blobcount.New(blob.New(uri, struct{ driver.Store }{files.Driver()}))
		return counted.Driver(), nil
	})
}

// A cold call in process against three files that are made atomically in a
// fresh folder: what lease, invocation and result cost at the least.
func BenchmarkCold(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			ctx, folder := environment(b)
			bare := folder + "/bare/mops1/default/benchmark/small@0"
			if err := os.MkdirAll(bare, 0o755); err != nil {
				b.Fatal(err)
			}
			record := make([]byte, 600)
			call := func(i int) { must(small.Call(ctx, numbered(i))) }
			files := func(i int) {
				call := fmt.Sprintf("%s/amber-kite-river.%064x", bare, i+1)
				if err := os.Mkdir(call, 0o755); err != nil {
					panic(err)
				}
				for _, name := range []string{"lease", "invocation", "result"} {
					temporary := call + "/." + name
					must(0, os.WriteFile(temporary, record, 0o444))
					must(0, os.Rename(temporary, call+"/"+name))
				}
			}
			compare(b, 4, goroutines*16, 1.5, sideBySide(goroutines, 16, call), sideBySide(goroutines, 16, files))
		})
	}
}

var elsewhere = mops.Define("benchmark/elsewhere", func(_ context.Context, i int) (int, error) { return i, nil },
	mops.On(subprocess.New()))

// A cold call in a subprocess against running the same binary, which then does
// nothing.
func BenchmarkSubprocess(b *testing.B) {
	ctx, _ := environment(b)
	self := must(os.Executable())
	call := func(i int) { must(elsewhere.Call(ctx, i)) }
	bare := func(int) { must(0, exec.Command(self, "-test.run=^$").Run()) }
	compare(b, 4, 1, 3, call, bare)
}

// Empty calls in processes that stay against the same calls in a process each.
// This program links the drivers of all cloud stores, S3's among them.
func BenchmarkStay(b *testing.B) {
	ctx, _ := environment(b)
	staying, each := elsewhere.With(mops.On(subprocess.New(subprocess.Stay()))), elsewhere.With(mops.On(subprocess.New()))
	const calls = 100
	next := 0
	all := func(f *mops.Func[int, int]) func(int) {
		return func(int) {
			inputs := make([]int, calls)
			for i := range inputs {
				next++
				inputs[i] = next
			}
			must(f.All(ctx, inputs))
		}
	}
	compare(b, 1, calls, 0.2, all(staying), all(each))
}
