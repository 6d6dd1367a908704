package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// bench is a call of the function f, ready for a worker: its invocation and its
// lease are in the store.
type bench struct {
	*testing.T
	store   *blob.Store
	session *lease.Session // of the orchestrator
	place   memo.Place
	process Process
	logged  bytes.Buffer
	do      func(ctx context.Context, n int) (int, error)
}

func newBench(t *testing.T, store *blob.Store) *bench {
	t.Helper()
	b := &bench{T: t, store: store, do: func(_ context.Context, n int) (int, error) { return 2 * n, nil }}
	registry, f := b.register("f", "0")
	n := 21
	input, err := f.EncodeIn(t.Context(), &n)
	if err != nil {
		t.Fatal(err)
	}
	key := f.Key(input)
	b.place = memo.Place{Store: store, Path: memokey.Path("p", "f", "0", key), Key: key}
	b.session = b.newSession()
	id := runs.New(lease.NewID(), "test", "")
	_, held, err := b.session.Take(t.Context(), b.place.Lease(), "", lease.State{ID: id, Handle: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	version, err := held.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	header := record.InvocationHeader{Head: f.Head(key, id.RunID), Call: f.Describe("p"), LeaseID: id.LeaseID, Program: record.ThisProgram()}
	if err := b.place.PutInvocation(t.Context(), header, input, 0); err != nil {
		t.Fatal(err)
	}
	files, err := source.New(source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	b.process = Process{
		Spec: Spec{
			Assignment: Assignment{ID: id, Terms: Terms{Pipeline: "p"}, Chain: Chain{}.Push(key)},
			Root:       "mem://test", Path: b.place.Path, Function: "f", Schema: f.SchemaHash(), LeaseVersion: version, Orchestrator: b.session.ID(), Handle: "worker",
		},
		Registry: registry, Files: files, Logger: slog.New(slog.NewTextHandler(&b.logged, nil)),
		Root:    func(context.Context, string) (*blob.Store, *lease.Session, error) { return store, b.newSession(), nil },
		Context: func(ctx context.Context) context.Context { return ctx },
	}
	return b
}

func (b *bench) newSession() *lease.Session {
	session := lease.NewSession(b.store, lease.Config{})
	b.Cleanup(func() { session.Close(context.Background()) })
	return session
}

// register makes a program that has one function, which calls do.
func (b *bench) register(name, version string, locks ...string) (*function.Registry, *function.Function) {
	b.Helper()
	registry := function.NewRegistry(function.Sources{})
	for _, lock := range locks {
		registry.Locks.State(lock, "mops_lock.go")
	}
	f, err := registry.Add(name, version, "here", reflect.TypeFor[int](), reflect.TypeFor[int]())
	if err == nil {
		err = f.Implement(func(ctx context.Context, in any) (any, error) {
			out, err := b.do(ctx, *in.(*int))
			return &out, err
		})
	}
	if err = errors.Join(err, f.Prepare()); err != nil {
		b.Fatal(err)
	}
	return registry, f
}

// takenOver lets another session take the lease over for another run.
func (b *bench) takenOver() {
	b.Helper()
	state, version, err := lease.Read(b.Context(), b.store, b.place.Lease())
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := b.newSession().Take(b.Context(), b.place.Lease(), version, lease.State{ID: runs.Next(state.ID)}); err != nil {
		b.Fatal(err)
	}
}

// want checks how the worker ended, and why, if a record of the run says so.
func (b *bench) want(code int, why executor.Reason) {
	b.Helper()
	if got := b.process.Main(b.Context()); got != code {
		b.Errorf("exit code %d, want %d", got, code)
	}
	left, err := b.place.ReadRun(b.Context(), b.process.Spec.RunID)
	if why == "" && blob.Is(err, blob.NotFound) {
		return
	}
	if err != nil || left.Run.Reason != why {
		b.Errorf("the record of the run has the reason %q, want %q (%v)", left.Run.Reason, why, err)
	}
}

func memory() *blob.Store { return blob.New("mem://test", memblob.New()) }

func TestWorkerPutsTheResult(t *testing.T) {
	b := newBench(t, memory())
	var running *Running
	b.do = func(ctx context.Context, n int) (int, error) {
		running = FromContext(ctx)
		running.Record("rows", 3)
		running.Record("odd", func() {})
		running.Logger().Info("here I am")
		return 2 * n, nil
	}
	b.want(executor.ExitOK, "")
	found, err := b.place.Result(t.Context())
	if err != nil || found.RunID != b.process.Spec.RunID || !bytes.Equal(found.Body, []byte{0x18, 42}) {
		t.Fatalf("%v, run %s, %x", err, found.RunID, found.Body)
	}
	var header record.ResultHeader
	if err := found.Into(&header); err != nil {
		t.Fatal(err)
	}
	if header.Run.Of(b.process.Spec.ID).LeaseID != header.Run.LeaseID || header.Run.Outcome != runs.OK || header.Run.Fields["rows"] != 3.0 ||
		!strings.HasPrefix(fmt.Sprint(header.Run.Fields["odd"]), "not recorded") || header.Run.Executor != "test" {
		t.Errorf("%+v", header.Run)
	}
	if running.ID != b.process.Spec.ID || running.Function != "f@0" || !running.Chain.Contains(b.place.Key) {
		t.Errorf("the function sees %+v", running)
	}
	if log := b.logged.String(); !strings.Contains(log, "function=f@0 run="+running.RunID) {
		t.Error(log)
	}
}

func TestWorkerPutsTheError(t *testing.T) {
	for name, test := range map[string]struct {
		do      func(context.Context, int) (int, error)
		outcome runs.Ending
		message string
	}{
		"error":  {func(context.Context, int) (int, error) { return 0, errors.New("no such city") }, runs.FuncError, "no such city"},
		"panic":  {func(context.Context, int) (int, error) { panic("out of it") }, runs.Panic, "panic: out of it"},
		"goexit": {func(context.Context, int) (int, error) { runtime.Goexit(); return 0, nil }, runs.Panic, "runtime.Goexit"},
	} {
		b := newBench(t, memory())
		b.do = test.do
		b.want(executor.ExitFunc, "")
		found, err := b.place.Error(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var header record.ErrorHeader
		if err := found.Into(&header); err != nil {
			t.Fatal(err)
		}
		if header.Run.Outcome != test.outcome || !strings.Contains(header.Message, test.message) || header.RunID != b.process.Spec.RunID {
			t.Errorf("%s: %+v", name, header)
		}
		if _, err := b.place.Result(t.Context()); !blob.Is(err, blob.NotFound) {
			t.Errorf("%s: there is a result: %v", name, err)
		}
	}
}

// A worker that cannot do its work says so by its exit code, and why in the
// record of its run.
func TestUnfitWorkers(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b *bench)
		code   int
		why    executor.Reason
	}{
		"another program": {func(b *bench) { b.process.Registry, _ = b.register("g", "0") }, executor.ExitUnfit, executor.VersionSkew},
		"another version": {func(b *bench) { b.process.Registry, _ = b.register("f", "1") }, executor.ExitUnfit, executor.VersionSkew},
		"other types":     {func(b *bench) { b.process.Spec.Schema = "another" }, executor.ExitUnfit, executor.VersionSkew},
		"declared only":   {func(b *bench) { b.process.Registry = declared(b) }, executor.ExitUnfit, executor.VersionSkew},
		"no invocation":   {func(b *bench) { b.remove(b.place.Path + "/invocation") }, executor.ExitFailed, executor.WorkerFailed},
		"no such path":    {func(b *bench) { b.process.Spec.Path = "x" }, executor.ExitFailed, ""},
		"store is shut":   {func(b *bench) { b.process.Root = noRoot(blob.Denied) }, executor.ExitUnfit, ""},
		"store is away":   {func(b *bench) { b.process.Root = noRoot(blob.Unavailable) }, executor.ExitFailed, ""},
		"lease lost":      {func(b *bench) { b.takenOver() }, executor.ExitLost, ""},
		"lease is gone":   {func(b *bench) { b.remove(b.place.Lease()) }, executor.ExitLost, ""},
		"took for ever":   {func(b *bench) { b.do, b.process.Spec.Timeout = untilDone, time.Millisecond }, executor.ExitFailed, executor.DeadlineExceeded},
		"lease was adopted": {func(b *bench) {
			state, version, err := lease.Read(b.Context(), b.store, b.place.Lease())
			if err != nil {
				b.Fatal(err)
			}
			state.Orchestrator, state.Session = "", ""
			if _, _, err := b.newSession().Take(b.Context(), b.place.Lease(), version, state); err != nil {
				b.Fatal(err)
			}
		}, executor.ExitOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, memory())
			test.change(b)
			b.want(test.code, test.why)
		})
	}
}

func (b *bench) remove(key string) {
	b.Helper()
	if err := b.store.Delete(b.Context(), key); err != nil {
		b.Fatal(err)
	}
}

func declared(b *bench) *function.Registry {
	registry := function.NewRegistry(function.Sources{})
	if _, err := registry.Add("f", "0", "here", reflect.TypeFor[int](), reflect.TypeFor[int]()); err != nil {
		b.Fatal(err)
	}
	return registry
}

func noRoot(kind blob.Kind) func(context.Context, string) (*blob.Store, *lease.Session, error) {
	return func(context.Context, string) (*blob.Store, *lease.Session, error) {
		return nil, nil, &blob.Error{Op: "open", Kind: kind}
	}
}

func untilDone(ctx context.Context, _ int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }

// A result that cannot be stored is a failure of the worker's.
func TestWorkerWithoutAStore(t *testing.T) {
	full := false
	store := blobtest.Faulty(memory(), blobtest.FaultPlan{Before: func(op blobtest.Op, key string) error {
		if full && op == blobtest.OpPut && strings.HasSuffix(key, "/result") {
			return &driver.Error{Kind: driver.Invalid}
		}
		return nil
	}})
	b := newBench(t, store)
	full = true
	b.want(executor.ExitFailed, executor.WorkerFailed)
}

// A run that comes second leaves the first one's result, and a record.
func TestWorkerComesSecond(t *testing.T) {
	b := newBench(t, memory())
	b.do = func(ctx context.Context, n int) (int, error) {
		f, _ := b.process.Registry.Lookup("f")
		other := Task{
			Assignment: Assignment{ID: runs.New("another", "test", ""), Terms: Terms{Pipeline: "p"}}, Function: f, Place: b.place,
			Files: b.process.Files, Logger: b.process.Logger, Keep: true,
		}
		out := 7
		if _, won, err := other.Inject(ctx, &out); err != nil || !won {
			t.Errorf("%v, %v", won, err)
		}
		if there, won, err := other.Inject(ctx, &out); err != nil || !won || there.RunID != other.RunID { // it is its own
			t.Errorf("%v, %v, %v", there.RunID, won, err)
		}
		return 2 * n, nil
	}
	b.want(executor.ExitOK, "")
	left, err := b.place.ReadRun(t.Context(), b.process.Spec.RunID)
	if err != nil || left.Run.Outcome != runs.LostRace {
		t.Errorf("%+v, %v", left, err)
	}
	found, err := b.place.Result(t.Context())
	if err != nil || !bytes.Equal(found.Body, []byte{7}) {
		t.Errorf("%x, %v", found.Body, err)
	}
}

// To verify is to run beside the records: nothing is stored, no lease is taken.
func TestVerify(t *testing.T) {
	for kind, does := range map[record.Kind]error{record.KindResult: nil, record.KindError: errors.New("this time")} {
		b := newBench(t, memory())
		b.remove(b.place.Lease())
		b.do = func(_ context.Context, n int) (int, error) { return 2 * n, does }
		b.process.Spec.Verify = filepath.Join(t.TempDir(), "made")
		b.want(executor.ExitOK, "")
		data, err := os.ReadFile(b.process.Spec.Verify)
		if err != nil {
			t.Fatal(err)
		}
		made, err := record.Open(kind, data)
		if err != nil || kind == record.KindResult && !bytes.Equal(made.Body, []byte{0x18, 42}) {
			t.Errorf("%x, %v", made.Body, err)
		}
		for info := range b.store.List(t.Context(), b.place.Path+"/", "") {
			if !strings.HasSuffix(info.Key, "/invocation") {
				t.Errorf("there is %s", info.Key)
			}
		}
		b.remove(b.place.Path + "/invocation")
		b.want(executor.ExitFailed, "")
	}
}

// All that an orchestrator says arrives.
func TestSpecTravels(t *testing.T) {
	root := "file:///data"
	spec := Spec{
		Assignment: Assignment{
			ID: runs.New("lease", "k8s", ""), Terms: Terms{Pipeline: "p", Timeout: time.Hour, StorageTTL: 24 * time.Hour},
			Chain: Chain{"aa", "bb"}, Replace: "v1", AtStake: time.Minute,
		},
		Surroundings: Surroundings{
			Config: "/mops.toml", Isolated: true, Defaults: config.Settings{Root: &root}, ConfigText: "root = 1", Environ: config.Settings{Root: &root},
			Executors: config.Executors{"k8s": {"queue": {"night"}}},
			Since:     time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Tree: &Tree{Path: "/socket", Name: "one", Size: 2, Holder: "me"},
		},
		Root: root, Path: "mops1/p/f@0/c", Function: "f", Schema: "schema", LeaseVersion: "v0", Orchestrator: "session", Handle: "handle",
		Context: config.Settings{Root: &root}, Supervised: true, Verify: "/made",
	}
	text, err := spec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(Variable, text)
	got, ok, err := TakeSpec()
	if err != nil || !ok || !reflect.DeepEqual(got, spec) {
		t.Errorf("%v, %v, %+v", ok, err, got)
	}
	if _, again, _ := TakeSpec(); again {
		t.Error("a child would be a worker, too")
	}
	t.Setenv(Variable, "1")
	if _, ok, err := TakeSpec(); !ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestChain(t *testing.T) {
	var chain Chain
	keys := make([]memokey.Key, 3)
	for i := range keys {
		keys[i] = memokey.Key{byte(i + 1)}
		if chain.Contains(keys[i]) {
			t.Errorf("%v has %d", chain, i)
		}
		chain = chain.Push(keys[i])
	}
	other := chain[:2].Push(memokey.Key{9})
	if !chain.Contains(keys[2]) || other.Contains(keys[2]) { // what two calls of one function push stays apart
		t.Errorf("%v, %v", chain, other)
	}
	if got := chain.Innermost(2); len(got) != 2 || got[1] != Link(keys[2]) || len(chain.Innermost(9)) != 3 {
		t.Errorf("%v", got)
	}
}

// A Tree without its orchestrator has the slots that it was promised.
func TestTreeWithoutRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := &Tree{Path: filepath.Join(t.TempDir(), "none"), Size: 1, Holder: "me"}
		defer tree.Close()
		slot := tree.Slot()
		if err := tree.Acquire(t.Context(), slot.Holder); err != nil {
			t.Fatal(err)
		}
		slot.Pause()
		if err := tree.Acquire(t.Context(), "other"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := slot.Resume(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		tree.Release("other")
		if err := slot.Resume(t.Context()); err != nil {
			t.Error(err)
		}
		slot.Release()
	})
}

// Where both sides know by which code they compute, that counts, and the
// revision does not.
func TestCodeOfCallerAndWorker(t *testing.T) {
	lock := code.Locked{Name: "f", Version: "0", Same: []code.Same{{Hash: "aa", Date: "2026-11-29", Reason: "its log"}}, Fingerprint: code.Fingerprint{
		Hash: "bb", Package: "p", Decls: []code.Decl{{Kind: code.Func, Name: "p.clean", File: "clean.go", Line: 12, Hash: "2"}},
	}}
	text := code.Lock{Functions: []code.Locked{lock}}.String()
	for name, c := range map[string]struct {
		caller  string
		same    []string
		policy  code.Policy
		refused bool
		logged  string // "" for nothing
	}{
		"the same":             {caller: "bb", policy: code.Refuse},
		"declared by a worker": {caller: "aa", policy: code.Refuse},
		"declared by a caller": {caller: "cc", same: []string{"bb"}, policy: code.Refuse},
		"not known":            {policy: code.Refuse, logged: "another build than its caller"},
		"warn":                 {caller: "cc", policy: code.Warn, logged: "changed=\"clean changed (clean.go:12)\""},
		"described by nobody":  {caller: "dd", policy: code.Warn, logged: "changed=\"dd, and here it is bb\""},
		"recompute":            {caller: "cc", policy: code.Recompute, refused: true},
		"refuse":               {caller: "cc", policy: code.Refuse, refused: true},
		"off":                  {caller: "cc", policy: code.Off},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, memory())
			b.do = func(_ context.Context, n int) (int, error) { return n, nil }
			before := lock.Fingerprint
			before.Hash, before.Decls = "cc", []code.Decl{{Kind: code.Func, Name: "p.clean", File: "clean.go", Line: 10, Hash: "1"}}
			if err := memo.PutCode(t.Context(), b.store, &before); err != nil {
				t.Fatal(err)
			}
			b.process.Registry, _ = b.register("f", "0", text)
			b.process.Spec.Origin, b.process.Spec.SameCode, b.process.Spec.CodeCheck = record.Origin{Code: c.caller}, c.same, c.policy
			invocation, err := b.place.Invocation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var header record.InvocationHeader
			if err := invocation.Into(&header); err != nil {
				t.Fatal(err)
			}
			header.Program.Revision, header.Sources = "another", []record.SourceLocation{{Hash: "aa"}} // with other sources it is put
			if err := b.place.PutInvocation(t.Context(), header, invocation.Body, 0); err != nil {
				t.Fatal(err)
			}
			if c.refused {
				b.want(executor.ExitUnfit, executor.VersionSkew)
				return
			}
			b.want(executor.ExitOK, "")
			found, err := b.place.Result(t.Context())
			if err != nil || !record.HasOrigin(found.Header, found.RunID, record.Origin{Code: "bb"}) {
				t.Errorf("%s, %v", found.Header, err)
			}
			if _, err := memo.Code(t.Context(), b.store, "bb"); (err == nil) != strings.Contains(c.logged, "changed=") {
				t.Errorf("the worker's code is described: %v", err)
			}
			if logged := b.logged.String(); !strings.Contains(logged, c.logged) || c.logged == "" && logged != "" {
				t.Errorf("%s, want %q", logged, c.logged)
			}
		})
	}
}
