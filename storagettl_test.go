package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

const day = 24 * time.Hour

// expiring runs a test with a store elsewhere whose clock is the test's, and a
// week off ours.
func expiring(t *testing.T, check func(t *testing.T, store *blob.Store, pass func(time.Duration), env anew)) {
	wherever(t, func(t *testing.T, store *blob.Store, env anew) {
		mem, ok := store.Driver().(*memblob.Store)
		if !ok {
			return // the time of a file system cannot be set
		}
		var now atomic.Pointer[time.Time]
		pass := func(d time.Duration) { later := now.Load().Add(d); now.Store(&later) }
		begin := time.Now().Add(-7 * day)
		now.Store(&begin)
		mem.SetClock(func() time.Time { return *now.Load() })
		check(t, store, pass, env)
	})
}

// With a time to live, results that name files are used for half of it, and
// others as long as they are there.
func TestResultsUnderAStorageTTL(t *testing.T) {
	expiring(t, func(t *testing.T, _ *blob.Store, pass func(time.Duration), env anew) {
		words, ttl := append([]string{t.Name()}, sixWords[1:]...), mops.StorageTTL(10*day)
		outcomes := func(options ...mops.Option) (files, none mops.Outcome) {
			t.Helper()
			ctx := mops.WithOptions(env(), options...)
			out, info, err := scatter.Do(ctx, words)
			if err != nil {
				t.Fatal(err)
			}
			text, other, err := concat.Do(ctx, out)
			if err != nil || text == "" {
				t.Fatalf("%q, %v", text, err)
			}
			return info.Outcome, other.Outcome
		}
		for _, c := range []struct {
			after   time.Duration
			options []mops.Option
			files   mops.Outcome
		}{
			{0, []mops.Option{ttl}, mops.Computed},
			{5*day - time.Hour, []mops.Option{ttl}, mops.Hit},
			{2 * time.Hour, nil, mops.Hit},
			{0, []mops.Option{ttl, mops.RequireResults()}, mops.Hit},
			{0, []mops.Option{mops.StorageTTL(100 * day)}, mops.Hit},
			{0, []mops.Option{ttl}, mops.Computed},
			{0, []mops.Option{ttl}, mops.Hit},
			{1000 * day, nil, mops.Hit},
			{0, []mops.Option{ttl}, mops.Computed},
		} {
			pass(c.after)
			files, none := outcomes(c.options...)
			if first := mops.Hit; files != c.files || none != first && c.after != 0 {
				t.Errorf("%+v: %s with files, %s without", c, files, none)
			}
		}
	})
}

// Many calls that find such a result old compute it once.
func TestAnOldResultIsComputedOnce(t *testing.T) {
	expiring(t, func(t *testing.T, _ *blob.Store, pass func(time.Duration), env anew) {
		ttl := mops.StorageTTL(10 * day)
		words := append([]string{t.Name()}, sixWords[1:]...)
		must(scatter.With(ttl).Call(env(), words))
		pass(6 * day)
		var computed atomic.Int64
		var calling sync.WaitGroup
		for range 4 {
			ctx := env()
			for range 4 {
				calling.Go(func() {
					out, info, err := scatter.With(ttl).Do(ctx, words)
					if err != nil {
						t.Error(err)
						return
					}
					if info.Outcome == mops.Computed {
						computed.Add(1)
					}
					if text, err := content(ctx, out.One); err != nil || text != t.Name() {
						t.Errorf("%q, %v", text, err)
					}
				})
			}
		}
		calling.Wait()
		if n := computed.Load(); n != 1 {
			t.Errorf("it was computed %d times", n)
		}
	})
}

// Files that the store will remove soon are stored again on a miss, by the one
// that needs them: the caller, a worker, a call that a worker makes.
func TestFilesUnderAStorageTTL(t *testing.T) {
	expiring(t, func(t *testing.T, store *blob.Store, pass func(time.Duration), env anew) {
		path := file(t, "in.txt", t.Name())
		age := func(s mops.Source) time.Duration {
			t.Helper()
			info := must(store.Stat(t.Context(), "mops1-blobs/sha256/"+s.Hash()))
			now, _, err := store.Now(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return now.Sub(info.ModTime)
		}
		run := 0
		for _, c := range []struct {
			after   time.Duration
			option  mops.Option
			renewed bool
		}{
			{0, mops.StorageTTL(10 * day), true},
			{4 * day, mops.StorageTTL(10 * day), false},
			{2 * day, mops.StorageTTL(10 * day), true},
			{source.DefaultStorageTTL/2 - day, mops.StorageTTL(0), false},
			{2 * day, mops.StorageTTL(0), true},
		} {
			pass(c.after)
			run++
			ctx := mops.WithOptions(env(), mops.Pipeline(fmt.Sprintf("run%d", run)), c.option)
			in := must(pass2.Call(ctx, mops.File(path)))
			made := must(outsider.Call(ctx, t.TempDir()))
			nested := must(nesting.Call(ctx, t.TempDir()))
			for name, s := range map[string]mops.Source{"an input": in, "a file that a worker made": made, "one of a nested call": nested} {
				if got := age(s); (got == 0) != c.renewed {
					t.Errorf("%+v: %s is %v old", c, name, got)
				}
			}
		}
	})
}

var (
	pass2 = mops.Define("test/passtwice", func(_ context.Context, s mops.Source) (mops.Source, error) { return s, nil })

	// nesting calls what writes a file, with a content of its own.
	nesting = mops.Define("test/nesting", func(ctx context.Context, dir string) (mops.Source, error) {
		out, err := writer.Call(ctx, dir)
		return out, err
	})
	writer = mops.Define("test/writer", func(_ context.Context, dir string) (mops.Source, error) {
		path := filepath.Join(dir, "nested.txt")
		return mops.File(path), os.WriteFile(path, []byte("nested"), 0o600)
	})
)

// A kept error is newer than the old result that it came from.
func TestKeptErrorsUnderAStorageTTL(t *testing.T) {
	expiring(t, func(t *testing.T, _ *blob.Store, pass func(time.Duration), env anew) {
		dir := t.TempDir()
		options := mops.Join(mops.StorageTTL(10*day), mops.KeepErrors())
		fails := func(when string, want bool) {
			t.Helper()
			_, err := moody.Call(mops.WithOptions(env(), options), dir)
			if _, failed := errors.AsType[*mops.FuncError](err); failed != want {
				t.Errorf("%s: %v", when, err)
			}
		}
		fails("at first", true)
		fails("kept", true)
		must(0, os.WriteFile(filepath.Join(dir, "good"), []byte("good"), 0o600))
		pass(time.Hour)
		must(moody.Call(env(mops.StorageTTL(10*day)), dir))
		pass(6 * day)
		fails("old, and the error older", false)
		pass(6 * day)
		must(0, os.Remove(filepath.Join(dir, "good")))
		fails("computed again", true)
		must(0, os.WriteFile(filepath.Join(dir, "good"), []byte("good"), 0o600))
		fails("kept of the old result", true)
	})
}

// moody returns a file if it is there.
var moody = mops.Define("test/moody", func(_ context.Context, dir string) (mops.Source, error) {
	path := filepath.Join(dir, "good")
	_, err := os.Stat(path)
	return mops.File(path), err
})

// The kind: numbers of options that mean nothing, and zeros that mean something.
func TestOptionsMustNotBeNegative(t *testing.T) {
	ctx, _ := onDisk(t)
	f, runs := counted(t)
	for want, option := range map[string]mops.Option{"the option Timeout is -1s": mops.Timeout(-time.Second), "the option Retries is -1": mops.Retries(-1)} {
		_, err := f.With(option).Call(ctx, 1)
		mentions(t, err, want)
	}
	if runs.Load() != 0 {
		t.Errorf("%d runs", runs.Load())
	}
	// Zero takes back a setting from further out.
	failing := mops.Define("failing", func(context.Context, int) (int, error) { runs.Add(1); return 0, errors.New("no") },
		private(), mops.Retries(3), mops.Timeout(time.Nanosecond), mops.StorageTTL(time.Hour))
	_, err := failing.With(mops.Retries(0), mops.Timeout(0), mops.StorageTTL(0)).Call(ctx, 1)
	if _, ok := errors.AsType[*mops.FuncError](err); !ok || runs.Load() != 1 {
		t.Errorf("%v after %d runs", err, runs.Load())
	}
}

func TestStorageTTLMustNotBeNegative(t *testing.T) {
	ctx, _ := onDisk(t, mops.StorageTTL(-time.Hour))
	_, err := pass2.Call(ctx, mops.File(file(t, "x", "x")))
	mentions(t, err, "StorageTTL", "-1h")
}
