package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// staged are roots of the scheme "staged", by URI; tests script them.
var staged sync.Map // of driver.Store

func init() {
	blob.Register("staged", func(_ context.Context, uri string) (driver.Store, error) {
		if d, ok := staged.Load(uri); ok {
			return d.(driver.Store), nil
		}
		return nil, &driver.Error{Kind: driver.Unavailable, Err: errors.New("nobody set this stage")}
	})
}

// stageRoot makes a root that calls before ahead of every operation; its error
// becomes that of the operation.
func stageRoot(t *testing.T, before func(op blobtest.Op, key string) error) mops.Option {
	t.Helper()
	uri := "staged://" + t.Name()
	store := blobtest.Faulty(blob.New(uri, memblob.New()), blobtest.FaultPlan{Before: before})
	staged.Store(uri, store.Driver())
	t.Cleanup(func() { staged.Delete(uri) })
	return mops.Root(uri)
}

func TestARootThatNobodyCanOpen(t *testing.T) {
	f, runs := counted(t)
	asFile := file(t, "file", "")
	for root, says := range map[string][]string{
		"ftp://host/x":            {"ftp", "file", "mem"},
		"s3://bucket/x":           {`import _ "github.com/TrilliantHealth/mops-go/blob/s3blob"`},
		"gs://bucket/x":           {`import _ "github.com/TrilliantHealth/mops-go/blob/gcsblob"`},
		"adls://account/box":      {`import _ "github.com/TrilliantHealth/mops-go/blob/azureblob"`},
		"/data/mops":              {"file:///data/mops"},
		"":                        {"URI"},
		"file://" + asFile:        {asFile, "is a file", "must be a folder"},
		"file://" + asFile + "/x": {asFile, "and a folder should be there"},
	} {
		_, ctx := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
		_, err := f.Call(ctx, 1)
		if err == nil {
			t.Errorf("%s: there is no error", root)
			continue
		}
		if _, ok := errors.AsType[*blob.Error](err); !ok {
			t.Errorf("%s: %T: %v", root, err, err)
		}
		mentions(t, err, append(says, "counted: ", root)...)
	}
	if runs.Load() != 0 {
		t.Errorf("%d runs", runs.Load())
	}
}

func TestARootThatMayNotBeWritten(t *testing.T) {
	_, ctx := newEnv(t, stageRoot(t, func(op blobtest.Op, key string) error {
		if op == blobtest.OpPut {
			return &driver.Error{Kind: driver.Denied, Err: errors.New("read only")}
		}
		return nil
	}))
	f, runs := counted(t)
	_, info, err := f.Do(ctx, 1)
	if !blob.Is(err, blob.Denied) || runs.Load() != 0 {
		t.Errorf("%v, %d runs", err, runs.Load())
	}
	mentions(t, err, "counted", info.URI, "ReadOnly", "MOPS_READ_ONLY=1", "Off")
	if out, err := f.With(mops.ReadOnly()).Call(ctx, 1); err != nil || out != 2 {
		t.Errorf("%d, %v", out, err)
	}
}

func TestARootThatMayNotBeRead(t *testing.T) {
	_, ctx := newEnv(t, stageRoot(t, func(op blobtest.Op, key string) error {
		return &driver.Error{Kind: driver.Denied, Err: errors.New("who are you?")}
	}))
	f, runs := counted(t)
	_, info, err := f.Do(ctx, 1)
	e, ok := errors.AsType[*blob.Error](err)
	if !ok || e.Kind != blob.Denied || !strings.HasPrefix(e.URI, info.URI) || runs.Load() != 0 {
		t.Errorf("%v, %d runs", err, runs.Load())
	}
	mentions(t, err, "counted", info.URI, "who are you?")
}

// A call returns its result though the store cannot keep it, and nobody waits
// for the result for ever.
func TestAResultThatCannotBeKeptIsReturned(t *testing.T) {
	for _, what := range []string{"/result", "/error"} {
		t.Run(what[1:], func(t *testing.T) {
			var full atomic.Bool
			full.Store(true)
			var logged syncbuf.Buffer
			_, ctx := newEnv(t, stageRoot(t, func(op blobtest.Op, key string) error {
				if full.Load() && op == blobtest.OpPut && strings.HasSuffix(key, what) {
					return &driver.Error{Kind: driver.Denied, Err: errors.New("quota exceeded")}
				}
				return nil
			}), mops.LogTo(textLogger(&logged)))
			runs := 0
			f := mops.Define("f", func(context.Context, int) (string, error) {
				if runs++; what == "/error" {
					return "", errors.New("its own error")
				}
				return "precious", nil
			}, private())
			for range 2 {
				out, info, err := f.Do(ctx, 1)
				if what == "/result" && (err != nil || out != "precious" || info.Outcome != mops.Computed) {
					t.Errorf("%s, %+v, %v", out, info, err)
				}
				if what == "/error" {
					mentions(t, err, "its own error")
				}
			}
			if runs != 2 || !strings.Contains(logged.String(), "quota exceeded") || !strings.Contains(logged.String(), "could not be kept") {
				t.Errorf("%d runs, logged %s", runs, logged.String())
			}
			full.Store(false)
			f.Call(ctx, 1)
			if _, info, err := f.Do(ctx, 1); what == "/result" && (err != nil || info.Outcome != mops.Hit) {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

// The files of a result are part of it: without them there is no result, and
// the error is the store's, not the function's.
func TestFilesThatCannotBeKeptAreTheStoresError(t *testing.T) {
	_, ctx := newEnv(t, mops.KeepErrors(), stageRoot(t, func(op blobtest.Op, key string) error {
		if op == blobtest.OpPut && strings.Contains(key, "/out/") {
			return &driver.Error{Kind: driver.Denied, Err: errors.New("quota exceeded")}
		}
		return nil
	}))
	_, info, err := scatter.Do(ctx, sixWords)
	if _, ok := errors.AsType[*mops.FuncError](err); ok || !blob.Is(err, blob.Denied) {
		t.Errorf("%T: %v", err, err)
	}
	mentions(t, err, "test/scatter", info.URI, "quota exceeded")
}

// A store that hides from readers what writers can see, as a cache of answers
// does, is detected, and not asked for ever.
func TestALeaseThatNobodyCanRead(t *testing.T) {
	var reads atomic.Int64
	_, ctx := newEnv(t, mops.KeepRun(false), stageRoot(t, func(op blobtest.Op, key string) error {
		switch {
		case op == blobtest.OpPut && strings.HasSuffix(key, "/lease"):
			return &driver.Error{Kind: driver.Exists}
		case op == blobtest.OpGet:
			reads.Add(1)
			return &driver.Error{Kind: driver.NotFound}
		}
		return nil
	}))
	f, runs := counted(t)
	_, info, err := f.Do(ctx, 1)
	if !blob.Is(err, blob.Unavailable) || runs.Load() != 0 {
		t.Errorf("%d runs, %v", runs.Load(), err)
	}
	mentions(t, err, info.URI+"/lease", "mops doctor", "who reads it")
	if n := reads.Load(); n > 50 {
		t.Errorf("the store was asked %d times", n)
	}
}

// A full cache on this machine is no error of the function: others would find
// that error in place of a result.
func TestAFullCacheIsNotTheFunctionsFailure(t *testing.T) {
	_, ctx := newEnv(t, mops.Isolated(), mops.Root("mem://full-cache"), mops.KeepErrors(), mops.CacheDir(file(t, "no-folder", "")))
	runs := 0
	f := mops.Define("reads", func(ctx context.Context, s mops.Source) (int64, error) {
		runs++
		if _, err := s.Open(ctx); err != nil {
			return 0, fmt.Errorf("reading it: %w", err)
		}
		return s.Size(), nil
	}, private())
	for range 2 {
		_, err := f.Call(ctx, mops.File(file(t, "text", "some words")))
		mentions(t, err, "reading it", "MOPS_CACHE")
	}
	if runs != 2 {
		t.Errorf("it ran %d times: its error was kept", runs)
	}
}

func TestADamagedResultIsComputedAgain(t *testing.T) {
	ctx, _ := onDisk(t, mops.LogTo(textLogger(new(strings.Builder))))
	f, runs := counted(t)
	_, info, err := f.Do(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(strings.TrimPrefix(info.URI, "file://"), "result")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 50); err != nil {
		t.Fatal(err)
	}
	if out, info, err := f.Do(ctx, 1); err != nil || out != 2 || info.Outcome != mops.Computed || runs.Load() != 2 {
		t.Errorf("%d, %+v, %v", out, info, err)
	}
	if _, info, err := f.Do(ctx, 1); err != nil || info.Outcome != mops.Hit {
		t.Errorf("%+v, %v", info, err)
	}
}

// Nobody may replace an intact result of another program.
func TestAResultThatDoesNotDecodeIsAnErrorAndStays(t *testing.T) {
	ctx, _ := onDisk(t)
	type point struct{ X, Y int }
	_, info, err := mops.Define("f", func(_ context.Context, n int) (point, error) { return point{n, n}, nil }, private()).Do(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(strings.TrimPrefix(info.URI, "file://"), "result")
	record := must(os.ReadFile(path))
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte(strings.Replace(string(record), "mops1", "mops2", 1)), 0o400)); err != nil {
		t.Fatal(err)
	}
	f := mops.Define("f", func(_ context.Context, n int) (point, error) { return point{}, errors.New("it ran") }, private())
	_, err = f.Call(ctx, 1)
	mentions(t, err, "f: ", "mops2", info.URI)
	if now := must(os.ReadFile(path)); !strings.HasPrefix(string(now), "mops2") {
		t.Error("it was replaced")
	}
}

func TestAHitIsOneRead(t *testing.T) {
	operations := map[blobtest.Op]int{}
	var mu sync.Mutex
	taken := func() map[blobtest.Op]int {
		mu.Lock()
		defer mu.Unlock()
		defer func() { operations = map[blobtest.Op]int{} }()
		return operations
	}
	_, ctx := newEnv(t, mops.KeepRun(false), mops.CacheDir(t.TempDir()), stageRoot(t, func(op blobtest.Op, key string) error {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasPrefix(key, "mops1-sessions/") { // which is renewed now and then
			operations[op]++
		}
		return nil
	}))
	in := mops.File(file(t, "x.txt", "text"))
	must(pass.Call(ctx, in))
	must(scatter.Call(ctx, sixWords))
	taken()
	_, err := pass.Call(ctx, in)
	if made := taken(); err != nil || made[blobtest.OpGet] != 1 || len(made) != 1 {
		t.Errorf("a hit with a file in and out: %v, %v", made, err)
	}
	many, err := scatter.Call(ctx, sixWords)
	if made := taken(); err != nil || made[blobtest.OpGet] != 1 || len(made) != 1 {
		t.Errorf("a hit with six files out: %v, %v", made, err)
	}
	text, err := content(ctx, many.One)
	if made := taken(); err != nil || text != "zero" || made[blobtest.OpGet] != 1 {
		t.Errorf("opening one file: %v, %v", made, err)
	}
}
