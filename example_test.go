package mops_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go"
)

var examples atomic.Int64 // that ran, each in a pipeline of its own

// inMemory does for the examples what [mops.Main] does for a program: it makes
// a context on which calls work. Results stay in memory, for one example.
func inMemory() (ctx context.Context, end func()) {
	return environment(mops.Root("mem://examples"), mops.Pipeline(fmt.Sprint("example-", examples.Add(1))))
}

// inFolder keeps results in a new folder.
func inFolder() (_ context.Context, end func()) {
	folder, err := os.MkdirTemp("", "mops-example-")
	if err != nil {
		panic(err)
	}
	ctx, closeAll := environment(mops.Root("file://"+filepath.Join(folder, "root")), mops.CacheDir(filepath.Join(folder, "cache")))
	return ctx, func() { closeAll(); os.RemoveAll(folder) }
}

func environment(options ...mops.EnvOption) (ctx context.Context, end func()) {
	env, err := mops.New(context.Background(), append(options, mops.Isolated(), mops.LogTo(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		panic(err)
	}
	return env.Context(context.Background()), func() { env.Close() }
}
