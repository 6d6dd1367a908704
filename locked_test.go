package mops_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// lockOf is the lock of a function whose one helper, clean, has a hash.
func lockOf(name, version, clean string, same ...string) string {
	l := code.Locked{Name: name, Version: version, Platform: "linux/amd64", Fingerprint: code.Fingerprint{
		Hash: "code-" + clean, Go: "go1.26", Package: "example.com/forecast",
		Decls: []code.Decl{{Kind: code.Func, Name: "example.com/forecast.clean", File: "clean.go", Line: 12, Hash: clean}},
	}}
	for _, s := range same {
		l.Same = append(l.Same, code.Same{Hash: "code-" + s, Date: "2026-11-29", Reason: "only its log"})
	}
	return code.Lock{Functions: []code.Locked{l}}.String()
}

// build is one state of a program with one function.
type build struct {
	lock    string // "" for none
	fn      func(context.Context, int) (int, error)
	options []mops.EnvOption
}

// run makes calls with a build of a program: the outcome of the last, and what
// was logged.
func (b build) run(t *testing.T, root mops.Option, inputs ...int) (out int, info mops.Info, logged string, err error) {
	t.Helper()
	in := private()
	f := mops.Define("forecast/train", b.fn, in, mops.Version("2"))
	if b.lock != "" {
		mops.Locked(b.lock, in)
	}
	var log bytes.Buffer
	env, ctx := newEnv(t, append([]mops.EnvOption{root, in, mops.LogTo(slog.New(slog.NewTextHandler(&log, nil)))}, b.options...)...)
	for _, n := range inputs {
		if out, info, err = f.Do(ctx, n); err != nil {
			break
		}
	}
	env.Close() // what it has to say, it says by then
	return out, info, log.String(), err
}

func thrice(_ context.Context, n int) (int, error) { return 3 * n, nil }

func TestOtherCode(t *testing.T) {
	before := build{lock: lockOf("forecast/train", "2", "aa"), fn: double}
	changed := lockOf("forecast/train", "2", "bb")
	for name, c := range map[string]struct {
		before, after build
		outcome       mops.Outcome
		out           int
		err           error
		says          []string // nothing is said, if there are none
	}{
		"warn": {
			before, build{lock: changed, fn: thrice}, mops.Hit, 42, nil,
			[]string{`"1 hit of forecast/train@2 was computed by other code: clean changed (clean.go:12)"`, "run=2", `more="mops why mem:`, "set another Version of forecast/train, or declare its code equal: mops-lock --same forecast/train=code-aa \\\"why\\\""},
		},
		"recompute": {before, build{lock: changed, fn: thrice, options: []mops.EnvOption{mops.CodeCheck(mops.Recompute)}}, mops.Computed, 63, nil, []string{"a result is computed again", "clean changed (clean.go:12)"}},
		"refuse": {
			before, build{lock: changed, fn: thrice, options: []mops.EnvOption{mops.CodeCheck(mops.Refuse)}}, "", 0, mops.ErrOtherCode,
			nil,
		},
		"unchecked":         {before, build{lock: changed, fn: thrice, options: []mops.EnvOption{mops.CodeCheck(mops.Unchecked)}}, mops.Hit, 42, nil, nil},
		"declared equal":    {before, build{lock: lockOf("forecast/train", "2", "bb", "99", "aa"), fn: thrice}, mops.Hit, 42, nil, nil},
		"the same":          {before, build{lock: before.lock, fn: thrice}, mops.Hit, 42, nil, nil},
		"not locked before": {build{fn: double}, build{lock: changed, fn: double}, mops.Hit, 42, nil, nil},
		"not locked now":    {before, build{fn: double}, mops.Hit, 42, nil, nil},
		"another function": {
			build{fn: double}, build{fn: thrice}, mops.Hit, 42, nil,
			[]string{"by other code: that of github.com/TrilliantHealth/mops-go_test.double, and here github.com/TrilliantHealth/mops-go_test.thrice has the name", "give one of the two another name"},
		},
		"no result": {
			before, build{lock: changed, fn: thrice, options: []mops.EnvOption{mops.CodeCheck(mops.Recompute), mops.RequireResults()}}, "", 0, mops.ErrNoResult, nil,
		},
		"nothing written": {
			before, build{lock: changed, fn: thrice, options: []mops.EnvOption{mops.CodeCheck(mops.Recompute), mops.ReadOnly()}}, mops.Computed, 63, nil, []string{"a result is computed again"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := memoryRoot(t)
			if _, _, logged, err := c.before.run(t, root, 21); err != nil || logged != "" {
				t.Fatalf("%v\n%s", err, logged)
			}
			out, info, logged, err := c.after.run(t, root, 21)
			if out != c.out || info.Outcome != c.outcome && err == nil || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%d, %v, %v; want %d, %v, %v", out, info.Outcome, err, c.out, c.outcome, c.err)
			}
			if err != nil && !strings.Contains(err.Error(), "clean changed (clean.go:12)") {
				t.Errorf("%v does not say what changed", err)
			}
			for _, want := range c.says {
				if !strings.Contains(logged, want) {
					t.Errorf("nothing says %s:\n%s", want, logged)
				}
			}
			if len(c.says) == 0 && logged != "" {
				t.Errorf("it says:\n%s", logged)
			}
		})
	}
}

// Who computes again replaces the result: the next call is a hit, and the
// program that made the first result is told in turn.
func TestRecompute(t *testing.T) {
	root := memoryRoot(t)
	before := build{lock: lockOf("forecast/train", "2", "aa"), fn: double}
	after := build{lock: lockOf("forecast/train", "2", "bb"), fn: thrice, options: []mops.EnvOption{mops.CodeCheck(mops.Recompute)}}
	before.run(t, root, 21)
	if out, info, _, err := after.run(t, root, 21, 21); out != 63 || info.Outcome != mops.Hit || err != nil {
		t.Errorf("the second call: %d, %v, %v", out, info.Outcome, err)
	}
	if out, info, logged, err := after.run(t, root, 21); out != 63 || info.Outcome != mops.Hit || err != nil || logged != "" {
		t.Errorf("the next run: %d, %v, %v\n%s", out, info.Outcome, err, logged)
	}
	if out, info, logged, err := before.run(t, root, 21); out != 63 || info.Outcome != mops.Hit || err != nil || !strings.Contains(logged, "other code: clean changed") {
		t.Errorf("the first program: %d, %v, %v\n%s", out, info.Outcome, err, logged)
	}
}

// One warning says how many hits there were: not when the first comes, but soon.
func TestOtherCodeIsCounted(t *testing.T) {
	root := memoryRoot(t)
	var all []int
	for n := range 412 {
		all = append(all, n)
	}
	synctest.Test(t, func(t *testing.T) { // in real time they might take longer than a warning waits
		if _, _, logged, err := (build{lock: lockOf("forecast/train", "2", "aa"), fn: double}).run(t, root, all...); err != nil || logged != "" {
			t.Fatalf("%v\n%s", err, logged)
		}
		_, _, logged, err := build{lock: lockOf("forecast/train", "2", "bb"), fn: thrice}.run(t, root, all...)
		if err != nil || strings.Count(logged, "\n") != 1 || !strings.Contains(logged, "412 hits of forecast/train@2 were computed by other code") {
			t.Errorf("%v\n%s", err, logged)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		in := private()
		f := mops.Define("forecast/train", thrice, in, mops.Version("2"))
		mops.Locked(lockOf("forecast/train", "2", "bb"), in)
		logged := make(logLines, 10)
		_, ctx := newEnv(t, root, in, mops.LogTo(slog.New(slog.NewTextHandler(logged, nil))))
		for _, n := range all[:7] {
			if _, err := f.Call(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case line := <-logged:
			t.Errorf("at once: %s", line)
		default:
		}
		if line := <-logged; !strings.Contains(line, "7 hits of forecast/train@2") {
			t.Errorf("after a while: %s", line)
		}
	})
}

// logLines is a log whose lines can be waited for.
type logLines chan string

func (l logLines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// What this machine has read before is no less the result of other code.
func TestReadCacheDoesNotHideOtherCode(t *testing.T) {
	root, cache := mops.Root("afar://"+t.TempDir()), []mops.EnvOption{mops.CacheDir(t.TempDir()), mops.ReadCache(1 << 20)}
	before := build{lock: lockOf("forecast/train", "2", "aa"), fn: double, options: cache}
	after := build{lock: lockOf("forecast/train", "2", "bb"), fn: thrice, options: cache}
	before.run(t, root, 21)
	before.run(t, root, 21)
	if out, info, logged, err := after.run(t, root, 21); out != 42 || info.Outcome != mops.Hit || err != nil || !strings.Contains(logged, "other code: clean changed") {
		t.Errorf("%d, %v, %v\n%s", out, info.Outcome, err, logged)
	}
	after.options = append(after.options, mops.CodeCheck(mops.Recompute))
	for _, want := range []mops.Outcome{mops.Computed, mops.Hit} {
		if out, info, _, err := after.run(t, root, 21); out != 63 || info.Outcome != want || err != nil {
			t.Errorf("%d, %v, %v; want %v", out, info.Outcome, err, want)
		}
	}
}

// lockedSum is a function that a worker of another process computes, by a call
// of lockedSquare.
var (
	lockedSquare = mops.Define("test/locked-square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	lockedSum    = mops.Define("test/locked-sum", func(ctx context.Context, n int) (int, error) { return lockedSquare.Call(ctx, n) }, mops.Calls(lockedSquare))
)

func init() {
	mops.Locked(lockOf("test/locked-square", "0", "square"))
	mops.Locked(lockOf("test/locked-sum", "0", "sum"))
}

// Records say by which code a worker computed, and the store what code that is.
func TestWorkersRecordTheirCode(t *testing.T) {
	for _, options := range [][]mops.EnvOption{nil, {mops.On(subprocess.New())}} {
		silence(t)
		root := "file://" + t.TempDir()
		env, ctx := newEnv(t, append([]mops.EnvOption{mops.Root(root), mops.CacheDir(t.TempDir())}, options...)...)
		if _, err := lockedSum.Call(ctx, 3); err != nil {
			t.Fatal(err)
		}
		sum, square := must(lockedSum.Start(ctx, 3)).URI(), must(lockedSquare.Start(ctx, 3)).URI()
		if err := env.Close(); err != nil { // by then the store knows which code that is
			t.Fatal(err)
		}
		for f, c := range map[string]struct{ uri, origin string }{
			"sum":    {sum, `"code":"code-sum","callees":"test/locked-square@0=code-square"`},
			"square": {square, `"code":"code-square"`},
		} {
			path := strings.TrimPrefix(c.uri, "file://")
			for _, kind := range []string{"/result", "/invocation"} {
				record := must(os.ReadFile(path + kind))
				if want := `",` + c.origin + `,"func":"github.com/TrilliantHealth/mops-go_test","schema":`; !strings.Contains(string(record), want) {
					t.Errorf("no %s in %s", want, record)
				}
			}
			file := filepath.Join(strings.TrimPrefix(root, "file://"), "mops1-blobs/code/code-"+f+".json")
			described, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(described), `{"kind":"func","name":"example.com/forecast.clean","file":"clean.go","line":12,"hash":"`+f+`"}`) {
				t.Errorf("%s", described)
			}
		}
	}
}

// A result is of other code, too, if a function was called on the way that is
// another now, whether or not the caller is locked.
func TestOtherCodeOfCallee(t *testing.T) {
	program := func(inner, outer string, same ...string) (f *mops.Func[int, int], in mops.RegistryOption) {
		in = private()
		clean := mops.Define("clean", double, in)
		mops.Locked(lockOf("clean", "0", inner, same...), in)
		if outer != "" {
			mops.Locked(lockOf("train", "0", outer), in)
		}
		return mops.Define("train", func(ctx context.Context, n int) (int, error) { return clean.Call(ctx, n) }, mops.Calls(clean), in), in
	}
	for name, c := range map[string]struct {
		inner, outer string
		same         []string
		refused      bool
	}{
		"another callee":              {"bb", "train", nil, true},
		"and a caller without lock":   {"bb", "", nil, true},
		"a callee declared equal":     {"bb", "train", []string{"aa"}, false},
		"the same":                    {"aa", "train", nil, false},
		"a caller that is not locked": {"aa", "", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			root := memoryRoot(t)
			before, in := program("aa", "train")
			env, ctx := newEnv(t, root, in)
			if _, err := before.Call(ctx, 1); err != nil {
				t.Fatal(err)
			}
			env.Close() // by then the store knows which code that is
			after, in := program(c.inner, c.outer, c.same...)
			_, ctx = newEnv(t, root, in, mops.CodeCheck(mops.Refuse))
			out, err := after.Call(ctx, 1)
			if !c.refused && (out != 2 || err != nil) {
				t.Errorf("%d, %v", out, err)
			}
			if c.refused && (!errors.Is(err, mops.ErrOtherCode) || !strings.Contains(err.Error(), "clean@0: clean changed (clean.go:12)") ||
				!strings.Contains(err.Error(), `set another Version of clean, or declare its code equal: mops-lock --same clean=code-aa "why"`)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A result that a person put there is of no code.
func TestInjectedIsOfNoCode(t *testing.T) {
	ctx := mopstest.Context(t, mops.CodeCheck(mops.Refuse))
	one, other := private(), private()
	before := mops.Define("f", double, one)
	mops.Locked(lockOf("f", "0", "aa"), one)
	after := mops.Define("f", double, other)
	mops.Locked(lockOf("f", "0", "bb"), other)
	if err := before.Inject(ctx, 1, 7); err != nil {
		t.Fatal(err)
	}
	if out, err := after.Call(ctx, 1); out != 7 || err != nil {
		t.Errorf("%d, %v", out, err)
	}
}

// The policy is a setting like others.
func TestCodeCheckSettings(t *testing.T) {
	root := memoryRoot(t)
	build{lock: lockOf("forecast/train", "2", "aa"), fn: double}.run(t, root, 21)
	t.Setenv("MOPS_CODE_CHECK", "refuse")
	after := build{lock: lockOf("forecast/train", "2", "bb"), fn: thrice}
	in := private()
	f := mops.Define("forecast/train", after.fn, in, mops.Version("2"))
	mops.Locked(after.lock, in)
	env, err := mops.New(t.Context(), root, in, mops.CacheDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	if _, err := f.Call(env.Context(t.Context()), 21); !errors.Is(err, mops.ErrOtherCode) {
		t.Errorf("by the environment: %v", err)
	}
	if _, err := f.With(mops.CodeCheck("maybe")).Call(mopstest.Context(t), 1); err == nil || !strings.Contains(err.Error(), `the option CodeCheck is "maybe": give one of ["warn" "recompute" "refuse" "off"]`) {
		t.Errorf("%v", err)
	}
	t.Setenv("MOPS_CODE_CHECK", "maybe")
	if _, err := mops.New(t.Context(), root, in); err == nil || !strings.Contains(err.Error(), `MOPS_CODE_CHECK="maybe": not what can become of results of other code; write one of ["warn" "recompute" "refuse" "off"]`) {
		t.Errorf("%v", err)
	}
}

func TestUnreadableLock(t *testing.T) {
	for text, want := range map[string]string{
		"mops lock 2\n":                 "locked_test.go: line 1 of the lock: a newer release of mops wrote this lock: use that release",
		"mops lock 1\n\n<<<<<<< HEAD\n": "run mops-lock to write it anew",
	} {
		in := private()
		f := mops.Define("double", double, in)
		mops.Locked(text, in)
		_, err := f.Call(mopstest.Context(t), 2)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
