package benchmark

import (
	"context"
	"slices"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

type rowsOf struct {
	Name  string
	Cells []tagged
	Raw   []byte
}

type tagged struct {
	Key   string
	Value float64
	Tags  []string
}

var countRows = mops.Define("benchmark/rows", func(_ context.Context, in rowsOf) (int, error) { return len(in.Cells), nil })

// Hits by Each, which copies each input so that the sequence may reuse it,
// against hits by All, which need not. An input has about
// 7 kB in 200 pieces: one without pointers, slices and maps needs no copy at all.
func BenchmarkEach(b *testing.B) {
	ctx, _ := environment(b)
	const calls = 512
	ins := make([]rowsOf, calls)
	for i := range ins {
		ins[i] = rowsOf{Name: "rows", Cells: make([]tagged, 50), Raw: make([]byte, 4<<10)}
		for j := range ins[i].Cells {
			ins[i].Cells[j] = tagged{Key: "a key", Value: float64(i*50 + j), Tags: []string{"one", "two"}}
		}
	}
	must(countRows.All(ctx, ins))
	each := func(int) {
		for r := range countRows.Each(ctx, slices.Values(ins)) {
			must(r.Out, r.Err)
		}
	}
	all := func(int) { must(countRows.All(ctx, ins)) }
	compare(b, 4, calls, 1.5, each, all)
}
