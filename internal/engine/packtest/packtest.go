//go:build unix

// Package packtest makes an executor of one whose workers share packs of calls, for the
// conformance suite: each invocation is a call that goes into a pack.
package packtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// PlaceVariable names the variable with the folder of the store. Processes that the
// suite starts find it there.
const PlaceVariable = "PACKTEST_PLACE"

const (
	packVariable = "PACKTEST_PACK" // the id of the pack to work through
	rootVariable = "PACKTEST_ROOT"
	sideVariable = "PACKTEST_SIDE"
)

// Work is the main function of a worker, if this process is one.
func Work() {
	id := os.Getenv(packVariable)
	if id == "" {
		return
	}
	os.Unsetenv(packVariable)
	if inherited, ok := inherit.Take(); ok {
		inherited.Drain(func([]byte) {}) // nobody has to read what it prints
	}
	code, err := work(id)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func work(id string) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	index, _ := strconv.Atoi(os.Getenv(executor.IndexVariable))
	side, _ := strconv.Atoi(os.Getenv(sideVariable))
	store, err := blob.Open(ctx, os.Getenv(rootVariable))
	if err != nil {
		return 1, err
	}
	defer store.Close()
	return pack.Worker{
		Pack: packs.Pack{Store: store, ID: id}, Side: side, Index: index, Logger: slog.Default(),
		Executor: subprocess.New(subprocess.Grace(200 * time.Millisecond)),
		Keep:     func(packs.Call) pack.Keeper { return printed{} },
	}.Run(ctx)
}

type printed struct{}

func (printed) Write(chunk []byte)                        { os.Stdout.Write(chunk) }
func (printed) Close(context.Context, executor.Exit) bool { return false }

// Executor puts each invocation into a pack, even one that is alone.
type Executor struct{ *pack.Packer }

// Beside is what runs beside the calls. Whoever is through with all of them may wait for it.
var Beside sync.WaitGroup

// New returns an executor of packs on another one. It panics if it has no store.
func New(on executor.Executor, p executor.Packing) Executor {
	root := "file://" + filepath.Join(os.Getenv(PlaceVariable), "store")
	store, err := blob.Open(context.Background(), root)
	if err != nil {
		panic(err)
	}
	return Executor{pack.New(pack.Config{
		Executor: on, Packing: p, Store: store, Function: "test/packed@1", Logger: slog.New(slog.DiscardHandler), EvenOne: true,
		Go: func(do func()) { Beside.Go(do) },
		Env: func(_ context.Context, pack packs.Pack, side int) ([]string, error) {
			return []string{packVariable + "=" + pack.ID, rootVariable + "=" + root, fmt.Sprintf("%s=%d", sideVariable, side)}, nil
		},
	})}
}

func (Executor) Name() string { return "packed" }

// Start implements executor.Executor.
func (e Executor) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, &executor.Error{Reason: executor.LaunchFailed, Message: "cancelled", Err: err}
	}
	for {
		m, err := e.Join(inv, e.Handle())
		if !errors.Is(err, pack.ErrLaunched) {
			return m, err
		}
	}
}
