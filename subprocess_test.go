//go:build unix

package mops_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// visit is how a call was made, as a function sees it from inside.
type visit struct {
	PID     int
	URI     string
	Attempt int
	Hurried bool // there is a deadline
}

func look(ctx context.Context) visit {
	run := mops.RunInfo(ctx)
	_, hurried := ctx.Deadline()
	return visit{os.Getpid(), run.URI, run.Attempt, hurried}
}

// inner says how it was called, visits also how it calls inner.
var inner = mops.Define("test/inner", func(ctx context.Context, _ string) (visit, error) { return look(ctx), nil })

var farInner = mops.Define("test/far-inner", func(ctx context.Context, _ string) (visit, error) { return look(ctx), nil },
	mops.On(subprocess.New()))

var visits = mops.Define("test/visits", func(ctx context.Context, nonce string) ([]visit, error) {
	all := []visit{look(ctx)}
	for _, f := range []*mops.Func[string, visit]{inner, farInner} {
		v, err := f.Call(ctx, nonce)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	v, err := inner.Call(mops.WithOptions(ctx, mops.On(subprocess.New())), nonce+"'")
	return append(all, v), err
}, mops.Calls(inner, farInner))

func TestWhereAWorkerRunsIsNoPlaceForWhatItCalls(t *testing.T) {
	root := "file://" + t.TempDir()
	config := configFile(t, `executor = "subprocess"`)
	for name, env := range map[string]struct {
		variable string
		options  []mops.EnvOption
		f        *mops.Func[string, []visit]
	}{
		"New":           {options: []mops.EnvOption{mops.On(subprocess.New())}, f: visits},
		"With":          {f: onSubprocess(visits)},
		"MOPS_EXECUTOR": {variable: "subprocess", f: visits},
		"config file":   {options: []mops.EnvOption{config}, f: visits},
	} {
		t.Run(name, func(t *testing.T) {
			silence(t)
			t.Setenv("MOPS_EXECUTOR", env.variable)
			_, ctx := newEnv(t, append(env.options, mops.Root(root))...)
			all, err := env.f.Call(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			outer, near, far, sent := all[0], all[1], all[2], all[3]
			if outer.PID == os.Getpid() {
				t.Error("the outer function ran in this process")
			}
			if near.PID != outer.PID {
				t.Error("a function that says nothing ran elsewhere than in the worker that called it")
			}
			if far.PID == outer.PID || far.PID == os.Getpid() {
				t.Error("a function that says where it runs ran in the worker")
			}
			if sent.PID == outer.PID {
				t.Error("what the worker's own context says has no effect")
			}
		})
	}
}

func TestWithoutAStoreFunctionsRunHere(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	for name, option := range map[string]mops.Option{"off": mops.Off(), "read-only": mops.ReadOnly()} {
		if v, err := inner.With(option).Call(ctx, name); err != nil || v.PID != os.Getpid() {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestAConfigEntryForANestedFunctionHoldsInAWorker(t *testing.T) {
	silence(t)
	config := configFile(t, "[function.\"test/inner\"]\nexecutor = \"subprocess\"\npipeline = \"entry\"")
	_, ctx := newEnv(t, config, mops.Root("file://"+t.TempDir()))
	all, err := onSubprocess(visits).Call(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if all[1].PID == all[0].PID || !strings.Contains(all[1].URI, "/mops1/entry/") {
		t.Errorf("%+v", all)
	}
}

func TestOptionsOfTheContextReachNestedCalls(t *testing.T) {
	for name, ctx := range map[string]context.Context{"in process": first(onDisk(t)), "subprocess": first(inSubprocesses(t))} {
		under := mops.WithOptions(ctx, mops.Pipeline("below"), mops.Timeout(time.Hour))
		all, err := visits.Call(under, "x")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range all {
			if !strings.Contains(v.URI, "/mops1/below/") || !v.Hurried {
				t.Errorf("%s: call %d: %+v", name, i, v)
			}
		}
		// Options of With are for the one call.
		all, err = visits.With(mops.Pipeline("one")).Call(ctx, "x")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(all[0].URI, "/mops1/one/") || !strings.Contains(all[1].URI, "/mops1/default/") {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func TestARelativeRootIsTheSameForAWorkerInAnotherFolder(t *testing.T) {
	silence(t)
	t.Chdir(t.TempDir())
	_, ctx := newEnv(t, mops.Root("file://./store"), mops.CacheDir(t.TempDir()), mops.On(subprocess.New(subprocess.Dir(t.TempDir()))))
	all, err := visits.Call(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	here := "file://" + must(os.Getwd()) + "/store/"
	for _, v := range all {
		if !strings.HasPrefix(v.URI, here) {
			t.Errorf("%s is not below %s", v.URI, here)
		}
	}
}

func TestNothingAroundHasASayInAWorkerOfAnIsolatedEnvironment(t *testing.T) {
	silence(t)
	t.Setenv("MOPS_PIPELINE", "around")
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()), mops.On(subprocess.New()))
	all, err := visits.Call(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if !strings.Contains(v.URI, "/mops1/default/") {
			t.Errorf("%s", v.URI)
		}
	}
}

// ladder computes n from n-1 and n-2, and leaves a mark for each run.
var ladder = mops.Declare[rung, int]("test/ladder")

type rung struct {
	N     int
	Marks string
}

func init() {
	ladder.Implement(func(ctx context.Context, in rung) (int, error) {
		if err := mark(in.Marks, strconv.Itoa(in.N)); err != nil || in.N < 2 {
			return in.N, err
		}
		a, err := ladder.Call(ctx, rung{in.N - 1, in.Marks})
		if err != nil {
			return 0, err
		}
		b, err := ladder.Call(ctx, rung{in.N - 2, in.Marks})
		return a + b, err
	})
}

// mark leaves a file that shows that something ran.
func mark(folder, what string) error {
	file, err := os.CreateTemp(folder, what+"-*")
	if err != nil {
		return err
	}
	return file.Close()
}

func marks(t *testing.T, folder string) int {
	t.Helper()
	return len(must(os.ReadDir(folder)))
}

func TestARefreshOfATreeOfWorkersRunsEachCallOnce(t *testing.T) {
	folder := t.TempDir()
	in := rung{5, folder}
	ctx, root := inSubprocesses(t)
	everywhere := ladder.With(mops.On(subprocess.New()))
	must(everywhere.Call(ctx, in))
	before := marks(t, folder)
	if before != 6 {
		t.Fatalf("%d runs for 6 calls", before)
	}
	_, again := newEnv(t, mops.Root(root), configFile(t, "[function.\"test/ladder\"]\nexecutor = \"subprocess\""))
	if out, err := ladder.Call(mops.WithOptions(again, mops.Refresh()), in); err != nil || out != 5 {
		t.Fatal(out, err)
	}
	if runs := marks(t, folder) - before; runs != 6 {
		t.Errorf("the refresh made %d runs for 6 calls", runs)
	}
}

// patient starts a process of its own and waits for ever.
var patient = mops.Define("test/patient", func(_ context.Context, pidFile string) (int, error) {
	child, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{})
	if err != nil {
		return 0, err
	}
	pids := fmt.Sprintln(os.Getpid(), child.Pid)
	if err := os.WriteFile(pidFile+".new", []byte(pids), 0o600); err != nil {
		return 0, err
	}
	if err := os.Rename(pidFile+".new", pidFile); err != nil {
		return 0, err
	}
	select {}
})

func TestATimeoutEndsTheWorkerWithAllThatItStarted(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	hurried := patient.With(mops.On(subprocess.New(subprocess.Grace(100 * time.Millisecond))))
	var pids []byte
	for timeout := time.Second; pids == nil; timeout *= 2 { // until the function has come so far
		pidFile := filepath.Join(t.TempDir(), "pids")
		_, err := hurried.With(mops.Timeout(timeout)).Call(ctx, pidFile)
		if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "DeadlineExceeded" {
			t.Fatalf("%T: %v", err, err)
		}
		mentions(t, err, "test/patient", timeout.String(), "option Timeout", "file://")
		if pids, err = os.ReadFile(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for _, pid := range strings.Fields(string(pids)) {
		if lives(pid) {
			t.Errorf("process %s still runs", pid)
		}
	}
}

// lives reports whether there is a process of that number. A zombie is dead, but not
// yet for a parent that has not asked for it.
func lives(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, fs.ErrNotExist) && runtime.GOOS == "linux" {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && syscall.Kill(must(strconv.Atoi(pid)), 0) == nil
}

// flakyFar succeeds at its third attempt.
var flakyFar = mops.Define("test/flaky-far", func(ctx context.Context, _ string) ([]int, error) {
	run := mops.RunInfo(ctx)
	if run.Attempt < 3 {
		os.Exit(run.Attempt)
	}
	return []int{run.Attempt}, nil
}, mops.Retries(2))

func TestAFanOutInSubprocesses(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	names := make([]string, 40)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	processes := map[int]bool{}
	for r := range inner.Each(ctx, slices.Values(names), mops.Concurrency(10)) {
		if r.Err != nil || r.Info.Outcome != mops.Computed {
			t.Errorf("%+v", r)
		}
		processes[r.Out.PID] = true
	}
	if len(processes) != len(names) || processes[os.Getpid()] {
		t.Errorf("%d calls ran in %d processes", len(names), len(processes))
	}
}

func TestAWorkerThatDiesIsStartedAgain(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	out, err := flakyFar.Call(ctx, "x")
	if err != nil || !slices.Equal(out, []int{3}) {
		t.Errorf("%v, %v", out, err)
	}
}

// relayed returns the error of the function that it calls.
var relayed = mops.Define("test/relayed", func(ctx context.Context, marks string) (string, error) {
	return fatal.Call(mops.WithOptions(ctx, mops.On(subprocess.New())), marks)
}, mops.Calls(fatal), mops.KeepErrors())

var relayedTwice = mops.Define("test/relayed-twice", func(ctx context.Context, marks string) (string, error) {
	out, err := relayed.Call(ctx, marks)
	if err != nil {
		return "", fmt.Errorf("below: %w", err)
	}
	return out, nil
}, mops.Calls(relayed), mops.KeepErrors())

func TestWhatIsNoFaultOfTheFunctionIsNotKept(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...mops.EnvOption) (context.Context, string){"inproc": onDisk, "subprocess": inSubprocesses} {
		silence(t)
		ctx, _ := start(t)
		folder := t.TempDir()
		_, err := relayedTwice.Call(ctx, folder) // the innermost function dies
		if _, ok := errors.AsType[*mops.FuncError](err); !ok {
			t.Errorf("%s: %T: %v", name, err, err)
		}
		mentions(t, err, "below: test/relayed failed", "exit code 3")
		if out, err := relayedTwice.Call(ctx, folder); err != nil || out != "survived" {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
}

// keptOut takes a handle that stays in the process.
type keptOut struct {
	N      int
	Handle chan int `mops:"-"`
}

var handles = mops.Define("test/handles", func(_ context.Context, in keptOut) (bool, error) { return in.Handle == nil, nil })

func TestAFieldOutOfTheKeyDoesNotTravel(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	_, err := handles.Call(ctx, keptOut{1, make(chan int)})
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "LaunchFailed" {
		t.Fatalf("%T: %v", err, err)
	}
	mentions(t, err, "In.Handle", `mops:"-"`, "subprocess", "in process")
	if zero, err := handles.Call(ctx, keptOut{N: 1}); err != nil || !zero {
		t.Errorf("%v, %v", zero, err)
	}
	// A result that is there is a hit, with a handle, too.
	if _, info, err := handles.Do(ctx, keptOut{1, make(chan int)}); err != nil || info.Outcome != mops.Hit {
		t.Errorf("%+v, %v", info, err)
	}
}

var onlyDeclared = mops.Declare[int, int]("test/only-declared")

func TestAWorkerWithoutTheFunctionSaysSo(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	_, err := onlyDeclared.Call(ctx, 1)
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "VersionSkew" {
		t.Fatalf("%T: %v", err, err)
	}
	mentions(t, err, "test/only-declared", "Implement", "file://")
	here := mops.Define("test/defined-here-only", double, private())
	_, err = here.Call(ctx, 1)
	mentions(t, err, "VersionSkew", "has no function test/defined-here-only")
}

func TestAChildOfAFunctionIsNoWorker(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	out, err := workerEnvironment.Call(ctx, "x")
	if err != nil || out != "" {
		t.Errorf("%q, %v", out, err)
	}
}

// workerEnvironment lists the variables of mops' workers that its process would
// hand on.
var workerEnvironment = mops.Define("test/environment", func(context.Context, string) (string, error) {
	var found []string
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "MOPS_WORKER") {
			found = append(found, entry)
		}
	}
	return strings.Join(found, " "), nil
})

// skewed is the function that workers know under this name; the caller of the
// test below is of another version of the program.
var skewed = mops.Define("test/skewed", double, mops.Version("2"), mops.Calls(inner))

func TestAWorkerOfAnotherVersionIsRefused(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	for what, f := range map[string]*mops.Func[int, int]{
		"version":          mops.Define("test/skewed", double, private(), mops.Version("1"), mops.Calls(inner)),
		"functions called": mops.Define("test/skewed", double, private(), mops.Version("2")),
	} {
		_, err := f.Call(ctx, 1)
		if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "VersionSkew" {
			t.Errorf("%s: %T: %v", what, err, err)
		}
		mentions(t, err, what, "test/skewed", "build both from the same source")
	}
	other := mops.Define("test/skewed", func(_ context.Context, n int64) (int, error) { return 0, nil }, private(), mops.Version("2"), mops.Calls(inner))
	_, err := other.Call(ctx, 1)
	mentions(t, err, "VersionSkew", "type of the input")
	if out, err := skewed.Call(ctx, 1); err != nil || out != 2 {
		t.Errorf("%d, %v", out, err)
	}
}
