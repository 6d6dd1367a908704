package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Running is one run of a user's function, as the function's context knows it.
// It is safe for concurrent use: a function may call others from many
// goroutines.
type Running struct {
	Function string // name@version
	URI      string // memo URI of the call
	runs.ID
	Chain  Chain // this call and those that wait for it
	logger *slog.Logger
	since  time.Time // when this run began, or the first of those that wait for it
	place  memo.Place
	within *Running // whose function made this call, in this process; may be nil

	slot    Slot
	outDirs string // folder for OutDir; "" is the one for temporary files

	name   string // of the function
	apart  bool   // this process is the run's alone
	keep   bool   // what it logs and prints
	show   func(function, memoURI string) io.WriteCloser
	output output

	mu     sync.Mutex
	fields map[string]any
	outDir string
	made   calls
}

type contextKey struct{}

// FromContext finds the function that runs under a context; nil outside of one.
func FromContext(ctx context.Context) *Running {
	running, _ := ctx.Value(contextKey{}).(*Running)
	return running
}

// AtStake is how long this run has gone on, or its longest waiter. That much
// work is lost if a call that it makes fails.
func (r *Running) AtStake() time.Duration {
	if r == nil {
		return 0
	}
	return time.Since(r.since)
}

func (r *Running) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, r)
}

// Logger is the environment's, with function and run in every line. In a process that
// the run shares with others, the lines that it takes are kept with the run.
func (r *Running) Logger() *slog.Logger {
	logger := r.logger.With("function", r.Function, "run", r.RunID)
	if r.apart || !r.keep {
		return logger
	}
	anything := &slog.HandlerOptions{Level: slog.Level(math.MinInt)}
	return slog.New(keeping{logger.Handler(), slog.NewTextHandler(logged{r}, anything)})
}

// Record keeps a user's field for the run record. It encodes the value at once,
// so that later changes do not matter. If JSON cannot encode the value, a text
// that says so replaces it: a result must not be lost for a remark about it.
func (r *Running) Record(key string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text, _ = json.Marshal(fmt.Sprintf("not recorded: %v", err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fields == nil {
		r.fields = map[string]any{}
	}
	r.fields[key] = json.RawMessage(text)
}

func (r *Running) recorded() map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.fields)
}

// OutDir is the folder for the files that this run returns, made when first
// asked for and removed when the run has ended.
func (r *Running) OutDir() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.outDir != "" {
		return r.outDir, nil
	}
	dir, err := os.MkdirTemp(r.outDirs, "mops-out-"+r.RunID+"-")
	if err != nil {
		return "", fmt.Errorf("a folder for the files that %s returns cannot be made (set TMPDIR to one that is writable): %w", r.Function, err)
	}
	r.outDir = dir
	return dir, nil
}

// outDirsOf is where the calls that the function makes have theirs.
func (r *Running) outDirsOf() string {
	if r == nil {
		return ""
	}
	return r.outDirs
}

func (r *Running) madeOutDir() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.outDir
}

// Wait runs wait, and counts the function as waiting meanwhile: with its first
// outstanding wait it gives its slot back, and after its last it takes one
// again; the pool counts the waits. A nil Running just waits, and one that has ended
// needs no slot.
func (r *Running) Wait(ctx context.Context, wait func() error) error {
	if r == nil {
		return wait()
	}
	r.slot.Pause()
	err := wait()
	if resumeErr := r.slot.Resume(ctx); err == nil && !errors.Is(resumeErr, slots.ErrReleased) {
		err = resumeErr
	}
	return err
}
