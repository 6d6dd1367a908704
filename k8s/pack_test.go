package k8s

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

func TestPacking(t *testing.T) {
	for _, test := range []struct {
		name    string
		options []Option
		want    executor.Packing
		limit   int // of calls that the engine lets in
	}{
		{"off", []Option{Limit(7), SideBySide(2)}, executor.Packing{}, 7},
		{"off again", []Option{Pack(time.Minute), Pack(0)}, executor.Packing{}, 0},
		{"not valid", []Option{Pack(time.Millisecond)}, executor.Packing{}, 0},
		{"plain", []Option{Pack(time.Minute)}, executor.Packing{Work: time.Minute, Side: 1}, packWindow},
		{"limited", []Option{Pack(time.Second), Limit(7)}, executor.Packing{Work: time.Second, Side: 1, Most: 7}, packWindow},
		{"less than a CPU", []Option{Pack(time.Minute), CPU("900m")}, executor.Packing{Work: time.Minute, Side: 1}, packWindow},
		{"CPUs", []Option{Pack(time.Minute), CPU("3500m")}, executor.Packing{Work: time.Minute, Side: 3}, packWindow},
		{"a limit of CPUs", []Option{Pack(time.Minute), CPU("2"), CPULimit("8")}, executor.Packing{Work: time.Minute, Side: 8}, packWindow},
		{"too many CPUs", []Option{Pack(time.Minute), CPU("100k")}, executor.Packing{Work: time.Minute, Side: mostSideBySide}, packWindow},
		{"side by side", []Option{Pack(time.Minute), CPU("2"), SideBySide(5)}, executor.Packing{Work: time.Minute, Side: 5}, packWindow},
	} {
		e := New(test.options...)
		if got := e.Packing(); got != test.want || e.Limit() != test.limit {
			t.Errorf("%s: %+v and %d calls; want %+v and %d", test.name, got, e.Limit(), test.want, test.limit)
		}
	}
}
