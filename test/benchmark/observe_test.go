package benchmark

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// observed is what an observer of these benchmarks does.
var observed atomic.Int64

func count(e mops.Event) {
	if e.Kind == mops.CallEnded {
		observed.Add(int64(e.Wall))
	}
}

// A hit with an observer against one without.
func BenchmarkObservedHit(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			root := mops.Root("file://" + b.TempDir())
			with, _ := environment(b, root, mops.Observe(count))
			without, _ := environment(b, root)
			const calls = 512
			for i := range calls {
				must(small.Call(with, numbered(i)))
			}
			ours := func(i int) { must(small.Call(with, numbered(max(i, 0)%calls))) }
			bare := func(i int) { must(small.Call(without, numbered(max(i, 0)%calls))) }
			compare(b, 8, goroutines*64, 1.03, sideBySide(goroutines, 64, ours), sideBySide(goroutines, 64, bare))
		})
	}
}

// A cold call in process with an observer against one without.
func BenchmarkObservedCold(b *testing.B) {
	for _, goroutines := range []int{1, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			with, _ := environment(b, mops.Observe(count))
			without, _ := environment(b)
			ours := func(i int) { must(small.Call(with, numbered(i))) }
			bare := func(i int) { must(small.Call(without, numbered(i))) }
			compare(b, 4, goroutines*16, 1.05, sideBySide(goroutines, 16, ours), sideBySide(goroutines, 16, bare))
		})
	}
}
