package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
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
	if seconds, err := strconv.Atoi(os.Getenv(GraceVariable)); err == nil {
		grace = time.Duration(seconds) * time.Second
	}
	return max(grace-ownGrace, grace/2)
}

// Exit codes that shells give to a process that died of a signal.
const (
	exitKilled     = 128 + int(syscall.SIGKILL) // executors know an OOM kill by it
	exitTerminated = 128 + int(syscall.SIGTERM)
)

// Supervise runs in the first process of a container. It runs the worker as a
// second process, and both prints and stores what that prints. So a worker's
// last words are kept however it ends, whether or not anybody watches. It
// returns the exit code.
func Supervise(spec Spec) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	spec.Supervised, spec.Container = false, thisContainer()
	text, err := spec.Encode()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return 1
	}
	log := &ownLog{spec: spec, logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	defer log.close(ctx)
	grace := workerGrace()
	w, err := subprocess.New(subprocess.Grace(grace)).Start(ctx, executor.Invocation{
		Function: spec.Function, MemoURI: spec.Path, ID: spec.ID, Env: []string{Variable + "=" + text}, Log: log.write,
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
	opened bool
	place  memo.Place
	kept   *runlog.Writer // nil if the store cannot be opened
}

func (l *ownLog) write(chunk []byte) {
	os.Stdout.Write(chunk)
	if l.open() {
		l.kept.Write(chunk)
	}
}

// say adds a line of our own to the log.
func (l *ownLog) say(err error) { l.write(fmt.Appendln(nil, "mops worker:", err)) }

func (l *ownLog) open() bool {
	if l.opened {
		return l.kept != nil
	}
	l.opened = true
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store, err := blob.Open(ctx, l.spec.Root)
	if err != nil {
		l.logger.Warn("the worker's log cannot be kept in the store", "error", err)
		return false
	}
	store = blob.Retry(store, blob.RetryPolicy{Log: l.logger})
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
	if l.kept != nil {
		l.kept.Close(ctx)
		l.place.Store.Close()
	}
}
