package record

import (
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// What is scanned is what the header says when it is decoded.
func TestFigures(t *testing.T) {
	full := Run{WallSeconds: 59.995, CPUSeconds: 1.25e-7, PeakMemory: 1 << 40, MemoryLimit: 2 << 30, MemoryFrom: "its history", Host: "node-7", User: "ada", PID: 4711, Executor: "k8s", CPUs: 0.5, MemoryRequest: 1 << 30, GPUs: 1.25, Spot: true}
	for _, c := range []struct {
		name string
		run  Run
	}{
		{"all", full},
		{"wall alone", Run{WallSeconds: 2}},
		{"a GPU", Run{WallSeconds: 2, Executor: "k8s", GPUs: 8}},
		{"no executor", Run{WallSeconds: 2, CPUs: 2, Spot: true}},
		{"no user", Run{WallSeconds: 2, PID: 1, Executor: "subprocess"}},
		{"of the first release", samples()[0].header.(ResultHeader).Run},
		{"others' fields", Run{WallSeconds: 3, Host: "h", Fields: map[string]any{"wall_seconds": 7, "x": map[string]any{"a": 1, "wall_seconds": 8}}}},
		{"texts", Run{WallSeconds: 3, Error: `x","wall_seconds":9,"`, Host: `a "host" é <b>`}},
		{"nonsense", Run{WallSeconds: 3, Executor: "k8s", CPUs: -1, GPUs: 1e300, MemoryRequest: 1 << 60, MemoryLimit: 1 << 62}},
		{"no run", Run{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := Head{MemoKey: sampleKey, RunID: "run", Schema: []byte(`{"field wall_seconds":9}`)}
			for kind, header := range map[Kind]any{
				KindResult: ResultHeader{RunHeader: RunHeader{head, Call{Function: "f"}, c.run}},
				KindError:  ErrorHeader{RunHeader: RunHeader{head, Call{Function: "f"}, c.run}, Message: `"wall_seconds":1`},
			} {
				data, err := Seal(kind, header, nil)
				if err != nil {
					t.Fatal(err)
				}
				r, err := Open(kind, data)
				if err != nil {
					t.Fatal(err)
				}
				if got := FiguresOf(r.Header); got != c.run.Figures() {
					t.Errorf("%s: %+v, want %+v", kind, got, c.run.Figures())
				}
			}
		})
	}
	if got, want := FiguresOf([]byte(`{"run": {"cpu_seconds": 2, "wall_seconds": 1.5}}`)), (Figures{Wall: 1500 * time.Millisecond, CPU: 2 * time.Second}); got != want {
		t.Errorf("in another spelling: %+v, want %+v", got, want)
	}
	// Readers add up what a hit saved, and JSON has no such sums.
	none := executor.Place{}
	if got := FiguresOf([]byte(`{"run":{"wall_seconds":1,"executor":"k8s","cpus":NaN,"gpus":+Inf}}`)); got.Place != none {
		t.Errorf("no numbers: %+v", got)
	}
	if got := (Run{WallSeconds: -1, CPUSeconds: 1e18, PeakMemory: -1, CPUs: -1, GPUs: 1e300, MemoryRequest: -1, MemoryLimit: 1 << 62}).Figures(); got != (Figures{}) {
		t.Errorf("nonsense: %+v", got)
	}
	for _, damaged := range []string{"", "{", `{"wall_seconds":`, `{"wall_seconds":x}`, `{"wall_seconds":1,"host":"`} {
		if got := FiguresOf([]byte(damaged)); got != (Figures{}) {
			t.Errorf("%q: %+v", damaged, got)
		}
	}
}

func BenchmarkFigures(b *testing.B) {
	data := sealed(b, samples()[0])
	r, err := Open(KindResult, data)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		FiguresOf(r.Header)
	}
}
