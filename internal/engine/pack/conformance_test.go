//go:build linux || darwin

package pack_test

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
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
	"github.com/TrilliantHealth/mops-go/internal/testkit/groups"
)

// The test binary is a worker of packs, whose calls are workers of the
// conformance suite.
const (
	placeVariable = "PACKTEST_PLACE" // the folder of a store and of groups
	packVariable  = "PACKTEST_PACK"  // the id of the pack to work through
	sideVariable  = "PACKTEST_SIDE"
)

func TestMain(m *testing.M) {
	if id := os.Getenv(packVariable); id != "" {
		os.Exit(workThrough(id))
	}
	if os.Getenv(placeVariable) == "" {
		place, err := os.MkdirTemp("", "packtest-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Setenv(placeVariable, place) // helper processes find it
		defer os.RemoveAll(place)
	}
	executortest.Main(m, maker)
}

// workThrough is the main function of a worker.
func workThrough(id string) int {
	os.Unsetenv(packVariable)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	index, _ := strconv.Atoi(os.Getenv(executor.IndexVariable))
	side, _ := strconv.Atoi(os.Getenv(sideVariable))
	store, err := blob.Open(ctx, "file://"+filepath.Join(os.Getenv(placeVariable), "store"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code, err := pack.Worker{
		Pack: packs.Pack{Store: store, ID: id}, Side: side, Index: index, Logger: slog.Default(),
		Executor: subprocess.New(subprocess.Grace(200 * time.Millisecond)),
		Keep:     func(packs.Call) pack.Keeper { return printed{} },
	}.Run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

type printed struct{}

func (printed) Write(chunk []byte)                        { os.Stdout.Write(chunk) }
func (printed) Close(context.Context, executor.Exit) bool { return false }

// packed is an executor each of whose invocations goes into a pack.
type packed struct{ *pack.Packer }

var maker = executortest.Maker{
	New: func() executor.Executor { return newPacked(executor.Packing{Work: time.Minute, Side: 20}) },
	Can: executortest.Capabilities{Outlive: true, Kill: true},
}

var beside sync.WaitGroup

func newPacked(p executor.Packing) packed {
	place := os.Getenv(placeVariable)
	store, err := blob.Open(context.Background(), "file://"+filepath.Join(place, "store"))
	if err != nil {
		panic(err)
	}
	return packed{pack.New(pack.Config{
		Executor: &groups.Executor{Dir: filepath.Join(place, "groups"), Replace: 8},
		Packing:  p, Store: store, Function: "test/packed@1", Logger: slog.New(slog.DiscardHandler), EvenOne: true,
		Go: func(do func()) { beside.Go(do) },
		Env: func(_ context.Context, pack packs.Pack, side int) ([]string, error) {
			return []string{packVariable + "=" + pack.ID, fmt.Sprintf("%s=%d", sideVariable, side)}, nil
		},
	})}
}

func (packed) Name() string { return "packed" }

func (p packed) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, &executor.Error{Reason: executor.LaunchFailed, Message: "cancelled", Err: err}
	}
	for {
		m, err := p.Join(inv, p.Handle())
		if !errors.Is(err, pack.ErrLaunched) {
			return m, err
		}
	}
}

func TestConformance(t *testing.T) {
	executortest.Run(t, maker)
	beside.Wait()
}
