package k8s

import (
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/TrilliantHealth/mops-go/executor"
)

// How many workers a pack has is the engine's to say.
func TestTransformLeavesTheWorkersOfAPack(t *testing.T) {
	e := New(Image("a"), Namespace("ns"), Transform(func(job *batchv1.Job) error {
		job.Spec.Completions = new(int32(5))
		return nil
	}))
	if _, err := e.plan(t.Context(), pack()); err == nil || !strings.Contains(err.Error(), "changed the completions") {
		t.Errorf("%v", err)
	}
	if _, err := e.plan(t.Context(), call()); err != nil {
		t.Errorf("of one call: %v", err)
	}
}

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
		got := e.Packing()
		got.Kind = "" // see TestKindOfPacks
		if got != test.want || e.Limit() != test.limit {
			t.Errorf("%s: %+v and %d calls; want %+v and %d", test.name, got, e.Limit(), test.want, test.limit)
		}
	}
}

// Calls share a Job if their executors make equal ones, whoever made the executors.
func TestKindOfPacks(t *testing.T) {
	e := New(Image("forecast:1"), Pack(time.Minute), CPU("2"))
	kind := e.Packing().Kind
	if kind == "" {
		t.Fatal("there is none")
	}
	for name, test := range map[string]struct {
		other *Executor
		alike bool
	}{
		"the same options once more": {e.With(CPU("2")), true},
		"more memory":                {e.With(Memory("4Gi")), false},
		"another namespace":          {e.With(Namespace("weather")), false},
		"another image":              {e.With(Image("forecast:2")), false},
		"another time":               {e.With(Pack(time.Hour)), false},
		"a label":                    {e.With(Label("team", "weather")), false},
	} {
		if got := test.other.Packing().Kind; (got == kind) != test.alike {
			t.Errorf("%s: %s and %s", name, got, kind)
		}
	}
}

// Many calls ask at once.
func TestKindSideBySide(t *testing.T) {
	e := New(Image("forecast:1"), Pack(time.Minute), CPU("2"), MemoryFromHistory(95), MemoryMin("1000000000"), MemoryMax("64Gi"))
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			if e.Packing().Kind == "" {
				t.Error("there is none")
			}
		})
	}
	asking.Wait()
}
