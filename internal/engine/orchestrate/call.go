package orchestrate

import (
	"context"
	"errors"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// Call is one function with one input, and how to make it.
type Call struct {
	Function *function.Function
	Input    []byte        // canonical
	Sources  []*source.Ref // the files in it, hashed
	Local    any           // the caller's own In, for fields that stay out of the key

	// Room is where a result that is there may be read, which then lies in it: it is
	// the caller's to use again when nothing of the Outcome is needed any more. May be nil.
	Room *[]byte
	*Settings

	incompatible *incompatibleError // why it uses its exact key; nil for the usual one
}

// Settings are the settings of one call, after all precedence. Many calls share
// them; nobody changes them.
type Settings struct {
	worker.Terms
	Root           string
	Executor       executor.Executor
	Retries        int
	RetryDelay     time.Duration // bound of the first pause before another try
	Off            bool
	Detach         bool
	Refresh        bool
	ReadOnly       bool
	RequireResults bool
	KeepErrors     bool

	// ByInput chooses the executor, if that is not set; in points to an In of its
	// own. It is the user's: it may panic.
	ByInput func(in any) (executor.Executor, error)

	// RetryIf says whether a run that failed so is worth another try, beside Retries.
	// It is the user's: it may panic. May be nil.
	RetryIf func(memoURI string, failed error) bool

	// Context holds the options on the caller's context. They go along to a
	// worker, for the calls that it makes.
	Context config.Settings
}

func (c Call) key() memokey.Key {
	if c.incompatible != nil {
		return c.Function.ExactKey(c.Input)
	}
	return c.Function.Key(c.Input)
}

func (c Call) path(key memokey.Key) string {
	return memokey.Path(c.Pipeline, c.Function.Name, c.Function.Version, key)
}

// How a call came to its result: in one of these ways.
type How = event.Outcome

const (
	Hit      = event.Hit
	Computed = event.Computed
	Awaited  = event.Awaited
)

// Outcome is the result of a call, still encoded.
type Outcome struct {
	Place  memo.Place
	Result memo.Found
	How    How
	Unkept bool // the store does not have it
}

var (
	// ErrCycle says that a call would wait for itself.
	ErrCycle = errtree.Sentinel("cycle", errors.New("the call waits for itself"))
	// ErrFinal is in errors after which another try is no use, as their function says.
	ErrFinal = errtree.Sentinel("final", errors.New("another try is of no use"))
	// ErrPlanned says that there is no result, and that this is a plan.
	ErrPlanned = errtree.Sentinel("planned", passing("there is no result, and a plan computes none"))
	// ErrNoResult says that there is no result and that nothing may run.
	ErrNoResult = errtree.Sentinel("no-result", passing("there is no result, and results are required"))
)

// passing is an error that is not the fault of the function that returns it.
type passing string

func (e passing) Error() string        { return string(e) }
func (e passing) Is(target error) bool { return target == worker.ErrTransient }

// FuncError is what the user's function did: it returned an error or panicked.
type FuncError struct {
	Function string
	URI      string
	RunID    string
	Failed   record.FuncError

	function *function.Function
	took     record.Figures // zero if that is not known
}

func (e *FuncError) Error() string { return e.Failed.Message }

// Unwrap decodes the error if its type is registered, else it returns nil. It
// decodes each time, because all waiters of a flight share this error and must
// not share memory.
func (e *FuncError) Unwrap() error { return errtree.Tame(e.function.DecodeError(e.Failed.Registered)) }

// programRun is the run of the program that a call belongs to: in a worker, that
// of who made the call which it runs.
func (e *Engine) programRun(ctx context.Context) string {
	if running := worker.FromContext(ctx); running != nil {
		return running.ProgramRun
	}
	return e.ProgramRun
}

// caller names the call whose function made this one; "" if none did.
func (f *flight) caller() string { return worker.FromContext(f.ctx).NameIn(f.place.Store) }

// unkept is the place of a call that has no store.
func unkept(c Call) memo.Place {
	key := c.key()
	return memo.Place{Key: key, Path: c.path(key)}
}
