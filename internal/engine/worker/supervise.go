package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/far"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/engine/pack"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
)

// GraceVariable names the variable with the time between SIGTERM and SIGKILL,
// in seconds:
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
const GraceVariable = "MOPS_K8S_STOP_GRACE"

const (
	usualGrace = 10 * time.Second
	ownGrace   = 3 * time.Second // of that, for the last of the log
)

// workerGrace is how long the worker may take to end when told to.
func workerGrace() time.Duration {
	grace := usualGrace
	if d, err := time.ParseDuration(os.Getenv(far.GraceVariable)); err == nil {
		grace = d
	} else if seconds, err := strconv.Atoi(os.Getenv(GraceVariable)); err == nil {
		grace = time.Duration(seconds) * time.Second
	}
	return max(grace-ownGrace, grace/2)
}

// Exit codes that shells give to a process that died of a signal.
const (
	exitKilled     = 128 + int(syscall.SIGKILL) // executors know an OOM kill by it
	exitTerminated = 128 + int(syscall.SIGTERM)
)

// Supervise runs in the first process of a container, or of a worker on a machine
// of somebody else. It runs the worker as a second process, and both prints and
// stores what that prints. So a worker's last words are kept however it ends,
// whether or not anybody watches. Of a pack it runs the calls one after another. It
// returns the exit code.
func Supervise(spec Spec) int {
	if inherited, ok := inherit.Take(); ok { // an agent reads what we print; nobody has to
		defer inherited.Close()
		defer inherited.Drain(func([]byte) {})()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if spec.Pack != nil {
		return supervisePack(ctx, spec)
	}
	spec.Supervised = false
	if _, inPod := os.LookupEnv(GraceVariable); inPod {
		spec.Container = thisContainer()
	}
	text, err := spec.Encode()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return 1
	}
	log := newOwnLog(spec, nil)
	defer log.close(ctx)
	grace := workerGrace()
	w, err := subprocess.New(subprocess.Grace(grace)).Start(ctx, executor.Invocation{
		Function: spec.Function, MemoURI: spec.Path, ID: spec.ID, Env: []string{Variable + "=" + text}, Log: log.Write,
	})
	if err != nil {
		log.say(err)
		return 1
	}
	exit, err := w.Wait(ctx)
	if err != nil {
		if exit, err = stopSupervised(w, grace); err != nil {
			return exitTerminated
		}
	}
	if exit.Err == nil || exit.Code == executor.ExitFailed || exit.Code == executor.ExitUnfit {
		return exit.Code // the worker has said why
	}
	log.say(exit.Err)
	switch {
	case ctx.Err() != nil:
		return exitTerminated
	case exit.Err.Reason == executor.OOMKilled:
		log.explain(exit.Err)
		return exitKilled
	case exit.Err.Reason == executor.Signalled && exit.Code > 0: // executors know such a code
		log.explain(exit.Err)
	case exit.Code < 0:
		log.explain(exit.Err)
		return 1
	}
	return exit.Code
}

// supervisePack works through a pack. A call that kills its process costs that
// process and no other call.
func supervisePack(ctx context.Context, spec Spec) int {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store, err := blob.Open(ctx, spec.Root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return executor.ExitUnfit
	}
	store = blob.Retry(store, blob.RetryPolicy{Log: logger})
	defer store.Close()
	index, err := strconv.Atoi(os.Getenv(executor.IndexVariable))
	if err != nil {
		fmt.Fprintf(os.Stderr, "mops worker: the variable %s does not say which worker of the pack this is: %v\n", executor.IndexVariable, err)
		return executor.ExitUnfit
	}
	processes := subprocess.New(subprocess.Stay(), subprocess.Grace(workerGrace()), subprocess.Limit(spec.Pack.Side))
	code, err := pack.Worker{
		Pack: packs.Pack{Store: store, ID: spec.Pack.ID}, Side: spec.Pack.Side, Index: index,
		Executor: processes, Logger: logger,
		Keep: func(call packs.Call) pack.Keeper {
			one := spec
			for _, variable := range call.Env {
				if text, ok := strings.CutPrefix(variable, Variable+"="); ok {
					json.Unmarshal([]byte(text), &one) // a worker that cannot read it says so
				}
			}
			return newOwnLog(one, store)
		},
	}.Run(ctx)
	if ctx.Err() != nil {
		return exitTerminated
	}
	processes.EndIdle() // they still have to end their sessions, and to hand on their spans
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
	}
	return code
}

// stopSupervised ends the worker. It does not wait for processes that the
// worker left behind: as the first process of the container we would have to
// reap them, and they end with us.
func stopSupervised(w executor.Worker, grace time.Duration) (executor.Exit, error) {
	settle, cancel := context.WithTimeout(context.Background(), grace+ownGrace/3)
	stopping := make(chan struct{})
	go func() {
		defer close(stopping)
		w.Stop(settle)
	}()
	exit, err := w.Wait(settle)
	cancel()
	<-stopping
	return exit, err
}

// ownLog prints what the worker prints and keeps it in the store, which it
// opens when there is something to keep.
type ownLog struct {
	spec   Spec
	logger *slog.Logger
	shared *blob.Store // of the process; nil: the log opens one for itself
	opened bool
	place  memo.Place
	kept   *runlog.Writer // nil if the store cannot be opened
}

var _ pack.Keeper = (*ownLog)(nil)

func newOwnLog(spec Spec, shared *blob.Store) *ownLog {
	return &ownLog{spec: spec, shared: shared, logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
}

// Write takes what the worker prints.
func (l *ownLog) Write(chunk []byte) {
	os.Stdout.Write(chunk)
	if l.open() {
		l.kept.Write(chunk)
	}
}

// say adds a line of our own to the log.
func (l *ownLog) say(err error) { l.Write(fmt.Appendln(nil, "mops worker:", err)) }

func (l *ownLog) open() bool {
	if l.opened {
		return l.kept != nil
	}
	l.opened = true
	store := l.shared
	if store == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		var err error
		if store, err = blob.Open(ctx, l.spec.Root); err != nil {
			l.logger.Warn("the worker's log cannot be kept in the store", "error", err)
			return false
		}
		store = blob.Retry(store, blob.RetryPolicy{Log: l.logger})
	}
	l.place = memo.Place{Store: store, Path: l.spec.Path}
	if call, err := memokey.Parse(l.spec.Path); err == nil {
		l.place.Key = call.Key
	}
	l.kept = runlog.NewWriter(store, l.place.Log(l.spec.RunID), 1, l.logger)
	return true
}

// explain leaves the cause of the worker's death where the orchestrator looks
// for it.
func (l *ownLog) explain(cause *executor.Error) {
	if l.open() {
		Process{Spec: l.spec}.explain(l.place, cause.Reason, cause)
	}
}

func (l *ownLog) close(ctx context.Context) {
	if l.kept == nil {
		return
	}
	l.kept.Close(ctx)
	if l.shared == nil {
		l.place.Store.Close()
	}
}

// Close implements pack.Keeper.
func (l *ownLog) Close(ctx context.Context, exit executor.Exit) (printed bool) {
	stopped := exit.Err != nil && errors.Is(exit.Err, context.Canceled)
	if exit.Err != nil && !stopped && exit.Code != executor.ExitFailed && exit.Code != executor.ExitUnfit { // else the worker has said why
		l.say(exit.Err)
		l.explain(exit.Err)
	}
	l.close(ctx)
	return l.kept != nil
}
