package programs

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func open(t *testing.T) *blob.Store {
	t.Helper()
	uri := "mem://" + strings.ReplaceAll(t.Name(), "/", "-")
	store, err := blob.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memblob.Forget(uri) })
	return store
}

var noon = time.Date(2026, 11, 23, 12, 0, 4, 0, time.UTC)

const id = "2611231200-SkirtBusRiver"

var (
	head = Head{
		Program: "/usr/local/bin/forecast", Build: record.Program{Path: "example.com/forecast", Version: "v0.3.1", Revision: "3f2a1c9d", Dirty: true, Go: "go1.26.0"},
		OS: "linux", Arch: "amd64", Arguments: 2, Host: "node-1", User: "ada", PID: 4711, Start: noon,
		Root: "adls://account/box", Pipeline: "daily", Options: map[string]string{"executor": "k8s"}, Fields: map[string]any{"ticket": "ML-17"},
	}
	train = Call{
		Call: 3, Function: "train", Memo: "mops1/daily/train@0/amber-kite-river.a1b2", Caller: "mops1/daily/all@0/blue-oak-sea.c3d4", Outcome: "failed", Error: `no <data> for "Oslo"`,
		Asked: 0.25, Queued: 0.5, Pending: 1, Starting: 1.5, Started: 62.000001, Ended: 100,
		Run: "2611231201-CupTree", Executor: "k8s", Spot: true, Worker: "train-x7k2",
		Attempts:  []Attempt{{Run: "2611231200-SkirtBus", Executor: "k8s", Worker: "train-abcd", Started: 2, Ended: 60, Reason: "oom", Error: "it ran out of memory"}},
		Resources: Resources{WallSeconds: 38, CPUSeconds: 70, PeakMemory: 1 << 30, CPUs: 2, MemoryLimit: 4 << 30, GPUs: 1},
	}
	hit = Call{
		Call: 1, Function: "clean", Memo: "mops1/daily/clean@2/red-sun-hill.ffff", Outcome: "hit", Asked: 0.1, Ended: 0.1001, Run: "2611201200-OldRun",
		Saved: &Saved{Executor: "subprocess", Resources: Resources{WallSeconds: 10, CPUSeconds: 9, PeakMemory: 1 << 29}},
	}
	state = State{
		At: 101, Dropped: 2, Fields: map[string]any{"log": "https://logs/1"},
		Functions: []Function{
			{Name: "clean", Totals: Totals{Calls: 2000, Hits: 2000, Listed: 1000}, Saved: Charge(nil, "subprocess", false, hit.Saved.Resources)},
			{Name: "train", Totals: Totals{Calls: 2, Failed: 1, Running: 1}, Used: Charge(nil, "k8s", true, train.Resources)},
		},
		Open: []Open{{Call: 4, Function: "train", Memo: "mops1/daily/train@0/oak-oak-oak.eeee", Stage: "running", Asked: 0.3, Started: 70, Run: "2611231201-RedTea", Executor: "k8s", Worker: "train-y"}},
	}
)

// The stored form: it only grows, by fields that may be missing.
func TestFormat(t *testing.T) {
	store := open(t)
	w := Writer{Store: store, ID: id}
	ofWorker := Writer{Store: store, ID: id, Worker: "2611231200-SkirtBus"}
	if err := errors.Join(
		w.Begin(t.Context(), head),
		w.Append(t.Context(), state, encoded(t, hit, train)),
		ofWorker.Append(t.Context(), State{At: 7, Functions: []Function{{Name: "clean", Totals: Totals{Calls: 1, Computed: 1}}}}, nil),
		w.End(t.Context(), End{End: noon.Add(2 * time.Minute), Exit: 130, Cancelled: true, Error: "interrupted", State: State{At: 120, Functions: state.Functions}}),
	); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := store.ReadAll(t.Context(), info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "== %s\n%s", info.Key, data)
	}
	golden(t, "run.txt", all.Bytes())

	run, err := Read(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(run.Calls, []Call{hit, train}, func(a, b Call) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("calls: %+v", run.Calls)
	}
	if run.Ended == nil || run.Ended.Exit != 130 || run.Live(run.Written) || run.Damaged != 0 || run.PID != 4711 {
		t.Errorf("got %+v", run)
	}
	if clean := run.State.Functions[0]; clean.Calls != 2001 || clean.Hits != 2000 || clean.Computed != 1 {
		t.Errorf("the program's and its worker's calls together: %+v", clean)
	}
	if used := run.State.Total().Used; len(used) != 1 || used[0].CPUHeld != 76 || used[0].MemoryGiBSeconds != 152 || used[0].GPUSeconds != 38 {
		t.Errorf("used: %+v", used)
	}
}

// A colleague sees a run while it lasts; a run that was killed is not live for ever.
func TestLive(t *testing.T) {
	store := open(t)
	w := Writer{Store: store, ID: id}
	if err := w.Begin(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	run, err := Read(t.Context(), store, id)
	if err != nil || len(run.Calls) != 0 {
		t.Fatal(run, err)
	}
	if changed, err := run.Update(t.Context()); changed || err != nil {
		t.Errorf("nothing came, and: %v, %v", changed, err)
	}
	if err := w.Append(t.Context(), state, encoded(t, train)); err != nil {
		t.Fatal(err)
	}
	if changed, err := run.Update(t.Context()); !changed || err != nil || len(run.Calls) != 1 || len(run.State.Open) != 1 {
		t.Errorf("got %v, %v, %+v", changed, err, run)
	}
	run.ID = time.Now().UTC().Format("0601021504") + "-Now"
	if !run.Live(run.Written.Add(20*time.Second)) || run.Live(run.Written.Add(time.Hour)) {
		t.Error("live for too long or too short")
	}
	entries, err := List(t.Context(), store)
	if err != nil || len(entries) != 1 || entries[0].ID != id || entries[0].Ended || !entries[0].Begun || entries[0].Segments != 1 {
		t.Errorf("got %+v, %v", entries, err)
	}
}

func TestFind(t *testing.T) {
	store := open(t)
	if _, err := Find(t.Context(), store, "latest"); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	// The minute of the id is the start's; the last two began in one minute.
	for id, second := range map[string]int{"2611221200-OldOneTwo": 0, "2611231200-BigRiverSea": 40, "2611231200-BigZebraSea": 20} {
		w, h := Writer{Store: store, ID: id}, head
		h.Start = time.Date(2026, 11, 23, 12, 0, second, 0, time.UTC)
		if err := w.Begin(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if err := w.Begin(t.Context(), h); !blob.Is(err, blob.Exists) {
			t.Errorf("a second run of the id: %v", err)
		}
	}
	if _, err := store.PutBytes(t.Context(), Prefix+"notes/head.json", []byte("mine"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"latest": "2611231200-BigRiverSea", "26112312": "", "2611231200-BigZ": "2611231200-BigZebraSea", "2611221200-OldOneTwo": "2611221200-OldOneTwo", "27": "", "notes": ""} {
		got, err := Find(t.Context(), store, name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What lies there may be of a later release, damaged, or half removed.
func TestOddThings(t *testing.T) {
	store := open(t)
	w := Writer{Store: store, ID: id}
	put := func(name, content string) {
		t.Helper()
		if _, err := store.PutBytes(t.Context(), folder(id)+name, []byte(content), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Begin(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(t.Context(), state, encoded(t, hit)); err != nil {
		t.Fatal(err)
	}
	put("calls-000002.jsonl", "not JSON\n"+string(encoded(t, train))+`{"call":`)
	put("calls-000003.jsonl", `{"at":5,"news":true}`+"\n"+`{"call":9,"function":"f","news":[1]}`+"\n")
	put("news/of-later.bin", "\x00")
	run, err := Read(t.Context(), store, id)
	if err != nil || len(run.Calls) != 3 || run.Damaged != 2 || run.State.At != 5 {
		t.Errorf("%+v, %v", run, err)
	}
	// A writer goes on behind what somebody else wrote.
	other := Writer{Store: store, ID: id}
	if err := other.Append(t.Context(), State{At: 6}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Update(t.Context()); err != nil || run.State.At != 6 {
		t.Errorf("%+v, %v", run.State, err)
	}
	var removed, size atomic.Int64
	count := func(bytes int64) { removed.Add(1); size.Add(bytes) }
	if err := Remove(t.Context(), store, id, count); removed.Load() != 6 || size.Load() == 0 || err != nil {
		t.Errorf("removed %d blobs of %d bytes, %v", removed.Load(), size.Load(), err)
	}
	if _, err := Read(t.Context(), store, id); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	put("head.json", `{"mops_run":2}`)
	if _, err := Read(t.Context(), store, id); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a later format: %v", err)
	}
	put("head.json", `{`)
	if _, err := Read(t.Context(), store, id); err == nil || !strings.Contains(err.Error(), "head.json is damaged") {
		t.Errorf("a damaged head: %v", err)
	}
}

// Segments are replaced by such that have more: each call is read once, whenever
// somebody reads, and also if a segment that was replaced is still there.
func TestParts(t *testing.T) {
	store := open(t)
	w := Writer{Store: store, ID: id}
	if err := w.Begin(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	call := func(n int) Call { return Call{Call: int64(n), Function: "f", Error: strings.Repeat("x", 1000)} }
	check := func(run *Run, want int) {
		t.Helper()
		if _, err := run.Update(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, c := range run.Calls {
			if c.Call != int64(i+1) {
				t.Fatalf("call %d is %d", i, c.Call)
			}
		}
		if len(run.Calls) != want || run.State.At != float64(want) || run.Damaged != 0 {
			t.Fatalf("%d calls at %v, want %d", len(run.Calls), run.State.At, want)
		}
	}
	early, err := Read(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	const calls = 400
	for n := 1; n <= calls; n++ {
		if err := w.Append(t.Context(), State{At: float64(n)}, encoded(t, call(n))); err != nil {
			t.Fatal(err)
		}
		if n%7 == 0 {
			check(early, n)
		}
		if n%50 == 1 && w.part < w.number-1 { // a removal did not work
			state, err := line(nil, State{At: float64(n - 1), Part: w.part})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.PutBytes(t.Context(), segmentKey(id, "", w.number-1), slices.Concat(state, w.calls[:bytes.IndexByte(w.calls, '\n')+1]), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			w.old = append(w.old, w.number-1)
			late, err := Read(t.Context(), store, id)
			if err != nil {
				t.Fatal(err)
			}
			check(late, n)
		}
	}
	w.Seal()
	if err := w.Append(t.Context(), State{At: calls}, nil); err != nil {
		t.Fatal(err)
	}
	check(early, calls)
	entries, err := List(t.Context(), store)
	if err != nil || len(entries) != 1 || entries[0].Segments != 5 {
		t.Errorf("%+v, %v", entries, err)
	}
	if state, _, err := ReadState(t.Context(), store, entries[0]); err != nil || state.At != calls {
		t.Errorf("%+v, %v", state, err)
	}
}

// undeletable refuses to delete.
type undeletable struct{ driver.Store }

func (undeletable) Delete(context.Context, string) error {
	return &driver.Error{Kind: driver.Denied, Err: errors.New("no access")}
}

// Who may not delete leaves small segments, and each call in one of them, but for the
// first two.
func TestNothingMayBeDeleted(t *testing.T) {
	w := Writer{Store: blob.New("test://"+t.Name(), undeletable{memblob.New()}), ID: id}
	if err := w.Begin(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if err := w.Append(t.Context(), State{}, encoded(t, Call{Call: int64(n), Function: "f"})); err != nil {
			t.Fatal(err)
		}
	}
	run, err := Read(t.Context(), w.Store, id)
	if err != nil || len(run.Calls) != 10 || bytes.Count(w.calls, []byte("\n")) != 1 {
		t.Errorf("%+v, %v; the last segment has\n%s", run.Calls, err, w.calls)
	}
}

// Many read while a run is written.
func TestReadWhileWritten(t *testing.T) {
	store := open(t)
	w := Writer{Store: store, ID: id}
	if err := w.Begin(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	const calls = 300
	var group sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		group.Go(func() {
			for run := (*Run)(nil); ; {
				ended := done.Load()
				fresh, err := Read(t.Context(), store, id)
				if run == nil {
					run = fresh
				} else if _, err := run.Update(t.Context()); err != nil {
					t.Error(err)
				}
				for _, r := range []*Run{fresh, run} {
					if err != nil || float64(len(r.Calls)) != r.State.At || r.Damaged > 0 || ended && len(r.Calls) != calls {
						t.Errorf("%d calls at %v, %v", len(r.Calls), r.State.At, err)
						return
					}
				}
				if ended {
					return
				}
			}
		})
	}
	for n := 1; n <= calls; n++ {
		if err := w.Append(t.Context(), State{At: float64(n)}, encoded(t, Call{Call: int64(n), Function: strings.Repeat("f", 200)})); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	group.Wait()
}

// A list does not go through all that a long run has left.
func TestListOfLongRun(t *testing.T) {
	store := open(t)
	w := Writer{Store: store, ID: id}
	if err := w.Begin(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	for i := range mostOfRun + 50 {
		of := Writer{Store: store, ID: id, Worker: fmt.Sprintf("2611231200-Worker%03d", i)}
		if err := of.Append(t.Context(), State{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(t.Context(), End{}); err != nil {
		t.Fatal(err)
	}
	entries, err := List(t.Context(), store)
	if err != nil || len(entries) != 1 || !entries[0].Ended || !entries[0].Begun || entries[0].Segments != mostOfRun {
		t.Errorf("got %+v, %v", entries, err)
	}
}

func TestInterval(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{0: 3 * time.Second, time.Hour: 18 * time.Second, 24 * time.Hour: time.Minute} {
		if got := Interval(age); got != want {
			t.Errorf("at %v: %v", age, got)
		}
	}
}

func encoded(t *testing.T, calls ...Call) (lines []byte) {
	t.Helper()
	for _, c := range calls {
		var err error
		if lines, err = Encode(lines, c); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

// What JSON cannot say is an error, and leaves the lines before as they are.
func TestUnencodable(t *testing.T) {
	lines := encoded(t, Call{Call: 1})
	odd := Call{Call: 2, Resources: Resources{CPUs: math.NaN()}}
	if more, err := Encode(lines, odd); err == nil || !bytes.Equal(more, lines) {
		t.Errorf("%q, %v", more, err)
	}
	w := Writer{Store: blob.New("mem://test", memblob.New()), ID: NewID(time.Now())}
	for name, err := range map[string]error{
		"head":  w.Begin(t.Context(), Head{Fields: map[string]any{"odd": math.Inf(1)}}),
		"state": w.Append(t.Context(), State{At: math.NaN()}, lines),
		"end":   w.End(t.Context(), End{State: State{At: math.NaN()}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "cannot be encoded") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNameOfAProgram(t *testing.T) {
	for _, c := range []struct{ program, main, want string }{
		{"/usr/local/bin/forecast", "example.com/cmd/forecast", "/usr/local/bin/forecast"},
		{"/tmp/go-build3771/b001/exe/forecast", "example.com/cmd/forecast", "example.com/cmd/forecast"},
		{"/tmp/go-build3771/b001/exe/main", "command-line-arguments", "main"},
		{"/tmp/go-build3771/b001/forecast.test", "example.com/forecast", "example.com/forecast.test"},
		{"/tmp/go-build3771/b001/exe/forecast", "", "forecast"},
		{"", "", ""},
	} {
		if got := (Head{Program: c.program, Build: record.Program{Path: c.main}}).Name(); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.program, c.main, got, c.want)
		}
	}
}
