package k8s

import (
	"context"
	"log/slog"
	"slices"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Executor runs workers as Jobs. It is safe for concurrent use. Executors of
// one process share connections and watches: there are two watches, of Jobs and
// pods, for each namespace of a cluster, while Jobs run there and for 3 s
// longer.
type Executor struct {
	options  []Option // of the program
	settings settings
	original *Executor // which With made it of, if both have one limit
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Namer    = (*Executor)(nil)
	_ executor.Limited  = (*Executor)(nil)
	_ executor.Copy     = (*Executor)(nil)
	_ executor.Retrier  = (*Executor)(nil)
	_ executor.Remote   = (*Executor)(nil)
	_ executor.Mounter  = (*Executor)(nil)
	_ executor.Packer   = (*Executor)(nil)

	_ executor.Configurable = (*Executor)(nil)
)

// New returns an executor. It neither reads a file nor connects: the first call
// does, and that also reports options that are not valid.
func New(options ...Option) *Executor {
	return &Executor{options: slices.Clone(options), settings: defaults().with(options)}
}

// With returns an executor with more options, for a function that needs more
// than the others; e stays as it is. Both share connections and, unless the options
// set another [Limit], that: at most so many functions run on both together.
func (e *Executor) With(options ...Option) *Executor {
	with := &Executor{options: slices.Concat(e.options, options), settings: e.settings.with(options)}
	if with.settings.limit == e.settings.limit {
		if with.original = e.original; with.original == nil {
			with.original = e
		}
	}
	return with
}

// CopyOf returns the executor whose limit e shares, since [Executor.With] made e of
// it; nil if the limit is its own.
func (e *Executor) CopyOf() executor.Executor {
	if e.original == nil {
		return nil
	}
	return e.original
}

func (e *Executor) Name() string { return "k8s" }

// Limit returns how many functions may run side by side; 0 means no limit. Where calls
// are put together, it is how many mops lets in: Packing says how many run.
func (e *Executor) Limit() int {
	if e.settings.pack > 0 {
		return packWindow
	}
	return e.settings.limit
}

// RunsRemotely returns true: workers keep their output in the store by
// themselves.
func (e *Executor) RunsRemotely() bool { return true }

// HandleOf returns "namespace/job", or "" if the settings name no valid
// namespace.
func (e *Executor) HandleOf(inv executor.Invocation) string {
	namespace, err := e.settings.target.JobNamespace()
	if err != nil {
		return ""
	}
	return namespace + "/" + e.settings.jobName(inv)
}

// launchFailed is an error of the start that is not the cluster's.
func launchFailed(message string, err error) *executor.Error {
	return &executor.Error{Reason: executor.LaunchFailed, Message: message, Err: err}
}

// loggingTo is the executor with a logger for its warnings, if it has none yet.
func (e *Executor) loggingTo(logger *slog.Logger) *Executor {
	if logger == nil || e.settings.logger != nil {
		return e
	}
	with := *e
	with.settings.logger = logger
	return &with
}

// plan makes the Job for an invocation, without talking to the cluster.
func (e *Executor) plan(ctx context.Context, inv executor.Invocation) (*plan, error) {
	if e.settings.err != nil {
		return nil, launchFailed(inv.Function+" could not be started: the options of its executor make no sense", e.settings.err)
	}
	namespace, err := e.settings.target.JobNamespace()
	if err != nil {
		return nil, launchFailed(inv.Function+" could not be started", err)
	}
	if _, err := e.settings.share(); err != nil {
		return nil, launchFailed(inv.Function+" could not be started", err)
	}
	image, err := e.settings.findImage(ctx)
	if err != nil {
		return nil, launchFailed(inv.Function+" could not be started: there is no image", err)
	}
	t := e.settings.task(inv, namespace, image.reference)
	t.platforms = image.platforms
	job, err := e.settings.job(t)
	if err != nil {
		return nil, launchFailed(inv.Function+" could not be started", err)
	}
	if err := unreachable(e.RootFor(inv.MemoURI), &job.Spec.Template.Spec); err != nil {
		return nil, launchFailed(inv.Function+" could not be started", err)
	}
	return &plan{task: t, job: job}, nil
}
