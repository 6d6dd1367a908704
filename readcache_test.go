package mops_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// afar:///folder is a root in a folder of this machine that does not show that
// it is local. It counts operations.
var (
	afarMu sync.Mutex
	afar   = map[string][]*blobcount.Counter{} // of all stores that were opened, by URI
)

func init() {
	blob.Register("afar", func(ctx context.Context, uri string) (driver.Store, error) {
		files, err := blob.Open(ctx, "file"+strings.TrimPrefix(uri, "afar"))
		if err != nil {
			return nil, err
		}
		d := files.Driver()
		counted, counter := blobcount.New(blob.New(uri, struct { // all but driver.Local
			driver.Store
			driver.Slurper
			driver.Clock
		}{d, d.(driver.Slurper), d.(driver.Clock)}))
		afarMu.Lock()
		defer afarMu.Unlock()
		afar[uri] = append(afar[uri], counter)
		return counted.Driver(), nil
	})
}

// asked is how many operations this process has made on a root.
func asked(uri string) (sum int) {
	afarMu.Lock()
	defer afarMu.Unlock()
	for _, counter := range afar[uri] {
		sum += counter.Counts().Total()
	}
	return sum
}

// unlike returns something else each time it runs.
var unlike = mops.Define("test/unlike", func(context.Context, int) (string, error) { return rand.Text(), nil })

func init() {
	programs["far"] = func() { // calls unlike with its arguments
		mops.Init()
		env := must(mops.New(context.Background(), mops.KeepRun(false)))
		for _, argument := range os.Args[1:] {
			out, info, err := unlike.Do(env.Context(context.Background()), must(strconv.Atoi(argument)))
			fmt.Println(out, info.Outcome, err)
		}
		if err := env.Close(); err != nil {
			fmt.Println(err)
		}
		fmt.Println(asked(os.Getenv("MOPS_ROOT")), "operations")
		os.Exit(0)
	}
}

// A hit that any program of this machine had before asks nothing of the store,
// from the first to the last operation of the program.
func TestAHitThatWasSeenBeforeAsksNothing(t *testing.T) {
	root, cache := "afar://"+t.TempDir(), filepath.Join(t.TempDir(), "cache")
	far := func(variables ...string) (lines []string) {
		t.Helper()
		cmd := program(t, "far", "1", "2")
		cmd.Env = append(append(cmd.Env, "MOPS_ROOT="+root, "MOPS_CACHE="+cache, "MOPS_READ_CACHE=on"), variables...)
		stdout, stderr, code := run(t, cmd)
		if lines = strings.Split(stdout, "\n"); code != 0 || len(lines) != 4 {
			t.Fatalf("exit code %d, printed %s, %s", code, stdout, stderr)
		}
		return lines
	}
	for _, where := range []string{"inproc", "subprocess"} {
		first := far("MOPS_EXECUTOR="+where, "MOPS_PIPELINE="+where)
		if !strings.Contains(first[0], "computed") || strings.HasPrefix(first[2], "0 ") {
			t.Fatal(first)
		}
		seen := "0 operations"
		for _, step := range []struct {
			name, variable, price string
			before                func() error
		}{
			{name: "computed by a program of this machine", price: seen},
			{name: "off", variable: "MOPS_READ_CACHE=off", price: "2 operations"},
			{name: "the folder was deleted", before: func() error { return os.RemoveAll(cache) }, price: "2 operations"},
			{name: "read by a program of this machine", price: seen},
			{name: "results are required", variable: "MOPS_REQUIRE_RESULTS=1", price: seen},
			{name: "errors are kept", variable: "MOPS_KEEP_ERRORS=1", price: seen},
		} {
			if step.before != nil {
				if err := step.before(); err != nil {
					t.Fatal(err)
				}
			}
			got := far("MOPS_PIPELINE="+where, step.variable)
			for i, line := range []string{first[0], first[1], step.price} {
				if want := strings.Replace(line, "computed", "hit", 1); got[i] != want {
					t.Errorf("%s, %s: %q, want %q", where, step.name, got[i], want)
				}
			}
		}
	}
}

// machine is an environment of its own for each call, as programs on one machine have it.
type machine struct {
	t     *testing.T
	root  string
	cache string
}

func (m machine) do(options ...mops.EnvOption) (value string, outcome mops.Outcome, price int) {
	m.t.Helper()
	before := asked(m.root)
	env, err := mops.New(m.t.Context(), append([]mops.EnvOption{mops.KeepRun(false), mops.Root(m.root), mops.CacheDir(m.cache), mops.ReadCache(1 << 20)}, options...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	value, info, err := unlike.Do(env.Context(m.t.Context()), 1)
	if err := errors.Join(err, env.Close()); err != nil {
		m.t.Fatal(err)
	}
	return value, info.Outcome, asked(m.root) - before
}

// hits fails the test unless a call is a hit of that value, at that price.
func (m machine) hits(value string, price int, options ...mops.EnvOption) {
	m.t.Helper()
	if got, outcome, asked := m.do(options...); got != value || outcome != mops.Hit || asked != price {
		m.t.Errorf("%s of %s with %d operations, want a hit of %s with %d", outcome, got, asked, value, price)
	}
}

// lease is the file of the one lease in a root.
func lease(t *testing.T, root string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(strings.TrimPrefix(root, "afar://"), func(path string, d fs.DirEntry, err error) error {
		if filepath.Base(path) == "lease" {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	return found[0]
}

func TestARefreshIsSeen(t *testing.T) {
	silence(t)
	root := "afar://" + t.TempDir()
	here, elsewhere := machine{t, root, t.TempDir()}, machine{t, root, t.TempDir()}
	first, _, _ := here.do()
	here.hits(first, 0)
	elsewhere.hits(first, 1)

	refresh := func(m machine, options ...mops.EnvOption) string {
		t.Helper()
		value, outcome, _ := m.do(append([]mops.EnvOption{mops.Refresh()}, options...)...)
		if outcome != mops.Computed {
			t.Errorf("a refresh is %s", outcome)
		}
		return value
	}
	second := refresh(here)
	here.hits(second, 0)
	elsewhere.hits(first, 0) // as documented: this machine has its own cache
	elsewhere.hits(second, 1, mops.ReadCache(0))
	third := refresh(elsewhere)
	elsewhere.hits(third, 0)
	here.hits(second, 0)
	if err := os.Remove(lease(t, root)); err != nil { // else the call looks twice
		t.Fatal(err)
	}
	fourth := refresh(here)
	here.hits(fourth, 0)

	// By a program that does not use the cache, and by a worker that has another.
	fifth := refresh(here, mops.ReadCache(0))
	here.hits(fifth, 1)
	here.hits(fifth, 0)
	sixth := refresh(here, mops.On(subprocess.New(subprocess.Env("MOPS_READ_CACHE=on", "MOPS_CACHE="+elsewhere.cache))))
	here.hits(sixth, 1)
	here.hits(sixth, 0)
	elsewhere.hits(sixth, 0)
}

// Within an environment, too, the calls after a refresh get its result, and the
// cache never answers a call that waits for a run.
func TestARefreshIsSeenByTheCallsAfterIt(t *testing.T) {
	silence(t)
	for name, on := range map[string]mops.Option{"in process": mops.Join(), "elsewhere": mops.On(subprocess.New(subprocess.Env("MOPS_READ_CACHE=on", "MOPS_CACHE="+t.TempDir())))} {
		t.Run(name, func(t *testing.T) {
			m := machine{t, "afar://" + t.TempDir(), t.TempDir()}
			old, _, _ := m.do()
			_, ctx := newEnv(t, mops.KeepRun(false), mops.Root(m.root), mops.CacheDir(m.cache), mops.ReadCache(1<<20), mops.Refresh(), on)
			values := map[string]int{}
			var mu sync.Mutex
			var calls sync.WaitGroup
			for range 16 {
				calls.Go(func() {
					for range 4 {
						value, err := unlike.Call(ctx, 1)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						values[value]++
						mu.Unlock()
					}
				})
			}
			calls.Wait()
			if len(values) != 1 || values[old] > 0 {
				t.Errorf("a refresh and the calls after it returned %v, and %s is what was there before", values, old)
			}
		})
	}
}

// A result that was removed from the store is still a hit on a machine that has
// seen it, as documented, and Refresh makes it anew.
func TestAResultThatWasRemovedFromTheStore(t *testing.T) {
	m := machine{t, "afar://" + t.TempDir(), t.TempDir()}
	old, _, _ := m.do()
	if err := os.RemoveAll(strings.TrimPrefix(m.root, "afar://") + "/mops1"); err != nil {
		t.Fatal(err)
	}
	m.hits(old, 0)
	if value, outcome, _ := m.do(mops.Refresh()); outcome != mops.Computed || value == old {
		t.Errorf("a refresh is %s", outcome)
	}
}

func TestAFanOutOfHitsThatWereSeenBeforeAsksNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: stress")
	}
	m := machine{t, "afar://" + t.TempDir(), t.TempDir()}
	options := []mops.EnvOption{mops.Root(m.root), mops.CacheDir(m.cache), mops.ReadCache(64 << 20)}
	inputs := make([]int, 300)
	for i := range inputs {
		inputs[i] = i
	}
	f, runs := counted(t)
	env, ctx := newEnv(t, append(options, mops.KeepRun(false))...)
	must(f.All(ctx, inputs))
	if err := env.Close(); err != nil { // else it renews its session
		t.Fatal(err)
	}
	before := asked(m.root)
	_, ctx = newEnv(t, append(options, mops.KeepRun(false))...)
	out, err := f.All(ctx, inputs)
	if err != nil || len(out) != 300 || out[299] != 598 || runs.Load() != 300 || asked(m.root) != before {
		t.Errorf("%v, %d runs, %d operations", err, runs.Load(), asked(m.root)-before)
	}
}

func TestWhereNoResultsAreCached(t *testing.T) {
	for name, options := range map[string][]mops.EnvOption{
		"a root of files":         {mops.Root("file://" + t.TempDir()), mops.ReadCache(1 << 20)},
		"a root in memory":        {memoryRoot(t), mops.ReadCache(1 << 20)},
		"off":                     {mops.Root("afar://" + t.TempDir()), mops.ReadCache(0)},
		"off by the variable":     {mops.Root("afar://" + t.TempDir())},
		"isolated":                {mops.Root("afar://" + t.TempDir()), mops.Isolated()},
		"a root that is used":     {mops.Root("afar://" + t.TempDir()), mops.ReadCache(1 << 20)},
		"isolated, and asked for": {mops.Root("afar://" + t.TempDir()), mops.Isolated(), mops.ReadCache(1 << 20)},
	} {
		cache := t.TempDir()
		_, ctx := newEnv(t, append(options, mops.CacheDir(cache), mops.KeepRun(false))...)
		for range 2 {
			must(unlike.Call(ctx, 1))
		}
		_, err := os.Stat(filepath.Join(cache, "results"))
		if used := name == "a root that is used" || name == "isolated, and asked for"; used != (err == nil) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("MOPS_READ_CACHE", "huge")
	_, err := mops.New(t.Context())
	mentions(t, err, `MOPS_READ_CACHE="huge"`, "512MiB", "off")
}
