// Package executor defines where workers run. An [Executor] starts a worker for
// an invocation, here or elsewhere, and finds it again after the process that
// started it died. It is a leaf: the orchestrator and the executors know it, it
// knows neither of them. It never looks at a call's values: they travel through
// the blob store.
package executor

import (
	"context"
	"log/slog"
	"time"
)

// Exit codes of a worker process. Any other code means that mops itself failed.
const (
	ExitFailed = 1  // mops itself failed, and said why on standard error
	ExitOK     = 0  // the result is in the store
	ExitFunc   = 46 // the user's function failed; its error is in the store
	ExitLost   = 47 // the worker no longer holds the lease; somebody else computes the call
	ExitUnfit  = 48 // the worker cannot do this (another version of the program, no access to the store), and would fail again
)

// IndexVariable names the variable in which each of several workers that share an
// [Invocation] finds its number, from 0.
const IndexVariable = "MOPS_WORKER_INDEX"

// ID names one execution of a call. Leases and the specs of workers contain it,
// under these names.
type ID struct {
	LeaseID  string `json:"lease_id,omitempty"` // the lease under which it computes; "" if nothing is kept
	RunID    string `json:"run_id,omitempty"`   // its own, such as 2611231412-SkirtBus
	Attempt  int    `json:"attempt,omitempty"`  // 1 for the first under its lease
	Executor string `json:"executor,omitempty"` // Name of the executor that has its worker

	// ProgramRun is the id of the run of the program that wanted it; "" if that is
	// not known. The calls that its function makes are of the same run.
	ProgramRun string `json:"program_run,omitempty"`
}

// Invocation is one execution of one call by one worker, as executors see it.
type Invocation struct {
	Function string // "name@version", for people
	MemoURI  string // of the call, for people and for names derived from it
	Pipeline string // of the call, for people and for labels
	ID

	// Workers is how many equal workers share the invocation, which then is a list of
	// calls; 0 means that it is one call, with one worker. Only a Packer gets more. The
	// executor replaces a worker that dies, and the invocation has ended when all have
	// ended by themselves, or one cannot be had or is ExitUnfit.
	Workers int

	// Failed holds the reasons of the earlier attempts under this lease that failed
	// because of the executor and not the function, first to last.
	Failed []Reason

	// ExhaustedMemory is how much memory earlier attempts under this lease had that
	// ran out of it, in bytes: the most of them. It is 0 if none did, or if nobody
	// knows.
	ExhaustedMemory int64

	// Env are variables, written "KEY=value", that the worker's process must find
	// in its environment, beside those that the executor adds. They hold no
	// secrets.
	Env []string

	// Work runs the invocation in this process and returns one of the exit codes.
	// Only executors that run in process call it.
	Work func(ctx context.Context) int

	// Tell takes how far the worker is, whenever that changes. It may be nil; it
	// returns at once and may be called from any goroutine. A worker whose executor
	// tells nothing before Start returns runs from then on. The time limit of the
	// call counts while the worker is Running, and people see the stages.
	Tell func(Stage)

	// History tells how earlier runs of the function went, in the same root and
	// pipeline and at the same version, oldest first: some of the latest, 200 at
	// most; none if nothing is kept. The first to ask waits until the store was read,
	// for 5 s at most. The caller must not change the slice. It may be nil, and
	// Attach has it, too.
	History func(ctx context.Context) ([]Past, error)

	// Explain takes why a worker that is Queued is, for people, whenever that changes;
	// "" says that nobody knows. It may be nil, and is called as Tell is.
	Explain func(why string)

	// Placed takes where the worker is and what it asked for, whenever more of that is
	// known. It may be nil, and is called as Tell is: before it, where the place is
	// new with the stage.
	Placed func(Place)

	// Lives reports whether the worker still gives signs of life through the store,
	// for an executor that does not hear of it any more in its own way; it reads the
	// store, and more than one question may be needed until an end is certain. It
	// may be nil, and Attach has it, too.
	Lives func(ctx context.Context) (bool, error)

	// Log takes the worker's output, in chunks as it comes, both streams in the
	// order of writing. It may be nil. An executor calls it from one goroutine at a
	// time and never after Wait returned. The chunk is valid during the call only.
	// After Attach only a Remote executor calls it, from the beginning of the
	// output on.
	Log func(chunk []byte)

	// Logger takes the executor's remarks about the worker. It may be nil.
	Logger *slog.Logger
}

// Past is how an earlier run of a function went: it left a result, or ran out of
// memory. What a record does not say, or cannot be right, is zero.
type Past struct {
	Ended    time.Time     // by the clock of the machine that it ran on, or of this one
	Executor string        // Name of the executor that had its worker
	Platform string        // of its machine: "linux/amd64"
	Wall     time.Duration // from the beginning of the function to its end
	CPU      time.Duration // user and system, of the whole process
	Reason   Reason        // "" if it left a result, or OOMKilled

	// PeakMemory is the most memory that the worker had, in bytes; if it ran out of
	// memory, what it was allowed. A run in process has that of the whole program.
	PeakMemory int64

	Place Place // of its worker: Host, Requests, Limits and Spot
}

// Stage is how far a worker is.
type Stage string

// The stages.
const (
	Queued   Stage = "queued"   // it waits for its turn: a queueing system or a quota holds it back
	Pending  Stage = "pending"  // it waits for a place: a node with room
	Starting Stage = "starting" // it has a place and is being made: its image, its volumes
	Running  Stage = "running"  // its program runs
)

// Place is where a worker is, on another machine. What is not known is zero.
type Place struct {
	Host     string // the name that the worker has for it: of a pod, the pod's
	Node     string // the machine on which a pod is
	Requests Resources
	Limits   Resources
	Spot     bool // capacity that is cheaper and may be taken away
}

// Resources are what a worker asks for, or may have at most; 0 is nothing said.
type Resources struct {
	CPU    float64 // cores
	Memory int64   // bytes
	GPU    float64 // devices, of any vendor; a part of one where calls share it
}

// Executor starts workers and attaches to those that run already. It is safe
// for concurrent use.
type Executor interface {
	// Name is the kind of the executor: "inproc", "subprocess", "k8s". Only
	// executors of the same name understand its handles.
	Name() string

	// Start begins the invocation and returns as soon as the worker has a handle.
	// The context bounds the start only, not the worker. A failure is an *Error.
	Start(ctx context.Context, inv Invocation) (Worker, error)

	// Attach finds the worker that a handle names, though another process may have
	// started it. It fails with ErrGone if that worker has ended or never was. It
	// does not use the invocation's Work and Env.
	Attach(ctx context.Context, inv Invocation, handle string) (Worker, error)
}

// Optional abilities of an executor.
type (
	// Namer knows the handle of a worker before it starts, so that the lease can
	// name it at once and no crash in between strands the worker.
	Namer interface {
		HandleOf(inv Invocation) string
	}

	// Limited runs at most Limit functions side by side; 0 means no limit. The
	// orchestrator holds back further calls, before they take a lease.
	Limited interface {
		Limit() int
	}

	// Copy is an executor that was made of another, and shares its limit: as many
	// functions run side by side as one of them allows, on both together.
	Copy interface {
		CopyOf() Executor // the original; nil if the limit is its own
	}

	// Retrier decides for which reasons another attempt is worth it, whatever
	// number of retries the caller asked for: each reason has its own budget.
	Retrier interface {
		// MayRetry reports whether the call may be tried again after attempts that
		// failed for these reasons, first to last.
		MayRetry(failed []Reason) bool
	}

	// Remote has workers on other machines: they see no file, variable or socket of
	// the caller's, and keep their output in the store by themselves.
	// Invocation.Log then gets it for people to see, perhaps not all of it.
	Remote interface {
		RunsRemotely() bool
	}

	// Mounter has workers that find a root at another place than the caller does: a
	// shared volume, mounted elsewhere. It returns an unknown root unchanged.
	Mounter interface {
		RootFor(root string) string
	}

	// Packer has groups of workers that take many calls from one list, where a worker
	// for each call would cost more than the call.
	Packer interface {
		Packing() Packing
	}

	// Configurable heeds what others than the program say of executors of its name.
	// Before it is used, mops asks it for an executor that does, and uses that one; it
	// may ask again for each call.
	Configurable interface {
		Configured(s Settings) Executor
	}

	// Local runs the invocation's Work in this process, where Work needs no lease
	// of its own and leaves its outcome in memory.
	Local interface {
		RunsHere() bool
	}
)

// Packing says how calls are put together. In the zero Packing each call has a
// worker of its own.
type Packing struct {
	Work time.Duration // about how long each worker of a group is to be busy; 0: calls are not put together
	Side int           // how many calls a worker computes side by side, at least 1
	Most int           // how many calls all groups compute side by side; 0: no limit

	// Kind is equal for executors of one name whose workers are alike, such as two with
	// the same image and resources: their calls may share a group.
	Kind string
}

// Settings are what others than the program say of executors of a name, by the keys
// of their table in the config file. A value is one text; or the items of a list; or
// the entries of a table, each written "name=value".
type Settings struct {
	File    map[string][]string // the program has precedence
	Environ map[string][]string // of variables, which have precedence over the program
}

// Worker is one worker that runs or ran. Its methods may be called from any
// number of goroutines.
type Worker interface {
	// Handle finds the worker again, from another process, too. It is short,
	// printable and holds no secrets. It is "" if nothing outlives this process.
	Handle() string

	// Wait returns when the worker has ended, or when ctx has, with ctx's error.
	Wait(ctx context.Context) (Exit, error)

	// Stop ends the worker with all that it started, and returns once it is certain
	// that nothing of it runs any more. Stopping an ended worker is fine.
	Stop(ctx context.Context) error

	// Release lets go of the worker without ending it: it runs on, unwatched. What it
	// prints neither blocks nor ends it then, as after the death of this process.
	Release()
}

// Exit is how a worker ended, as far as the executor could see.
type Exit struct {
	Code int // exit code; -1 if there was none (a signal, a deleted pod, …)

	// Err is nil for ExitOK, ExitFunc and ExitLost. Otherwise it says how the
	// worker died.
	Err *Error

	CPU time.Duration // user and system; 0 if unknown

	// PeakMemory is in bytes; 0 if unknown. Of a worker that ran out of memory it is
	// what that could have.
	PeakMemory int64
}
