//go:build linux || darwin

package enginetest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
	"github.com/TrilliantHealth/mops-go/internal/upkeep/gc"
)

// The kind of fault: a file of 1.5 GB lies where a record of a few hundred bytes
// belongs. Calls, and what tools do, take it for damaged, and take no memory for it.
func TestHugeRecords(t *testing.T) {
	const size, most, run = 1500 << 20, 64 << 20, "2611231412-SkirtBus"
	reg := mops.NewRegistry()
	f := mops.Define("huge/f", func(_ context.Context, n int) (int, error) { return n + 1, nil }, mops.In(reg))
	for _, name := range []string{"lease", "result", "invocation", "error", "runs/" + run + ".json", "runs/" + run + ".log/000001", "session"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			call := func() (mops.Info, error) {
				env, err := mops.New(t.Context(), mops.Isolated(), mops.In(reg), mops.Root("file://"+dir), mops.CacheDir(t.TempDir()), mops.LogTo(slog.New(slog.DiscardHandler)))
				if err != nil {
					return mops.Info{}, err
				}
				defer env.Close()
				got, info, err := f.Do(env.Context(t.Context()), 1)
				if err == nil && got != 2 {
					t.Errorf("the call returned %d", got)
				}
				return info, err
			}
			info, err := call()
			if err != nil {
				t.Fatal(err)
			}
			folder := strings.TrimPrefix(info.URI, "file://")
			if name != "invocation" && name != "error" { // those are looked at behind a result, too
				if err := os.Remove(filepath.Join(folder, "result")); err != nil {
					t.Fatal(err)
				}
			}
			paths := []string{filepath.Join(folder, name)}
			if name == "session" { // of whoever holds the lease
				if paths, err = filepath.Glob(filepath.Join(dir, "mops1-sessions", "*[^~]")); err != nil || len(paths) == 0 {
					t.Fatal(paths, err)
				}
			}
			for _, path := range paths {
				sparse(t, path, size)
			}
			before := allocated()
			if _, err := call(); err != nil {
				t.Errorf("the call failed: %v", err)
			}
			store, err := blob.Open(t.Context(), "file://"+dir)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			at, err := memokey.Parse(info.URI)
			if err != nil {
				t.Fatal(err)
			}
			place := memo.Place{Store: store, Path: at.Path(), Key: at.Key}
			explain.Read(t.Context(), place) // what is damaged is an error of some of these
			place.Error(t.Context())
			place.ReadRun(t.Context(), run)
			if _, err := runlog.Copy(t.Context(), io.Discard, store, place.Log(run), 1); err != nil {
				t.Errorf("a log: %v", err)
			}
			if _, err := gc.Run(t.Context(), store, gc.Options{Content: true, Remains: true}); err != nil {
				t.Errorf("gc: %v", err)
			}
			if took := allocated() - before; took > most {
				t.Errorf("it took %d MiB of memory", took>>20)
			}
		})
	}
}

// sparse makes a file of so many zeros that takes no room.
func sparse(t *testing.T, path string, size int64) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	for _, old := range []string{path, path + "~"} {
		err = errors.Join(err, os.RemoveAll(old))
	}
	file, openErr := os.Create(path)
	if err = errors.Join(err, openErr); err == nil {
		err = errors.Join(file.Truncate(size), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
