package mops

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
)

// Errors of calls, for errors.Is.
var (
	// ErrNoEnvironment says that a call was made on a context without an environment.
	ErrNoEnvironment = errtree.Sentinel("no-environment", errors.New("there is no mops environment on this context: call from a function run by mops.Main, from env.Context(ctx) of an environment made by mops.New, or in a test from mopstest.Context(t)"))

	// ErrCycle says that a call would wait for itself, directly or through others.
	ErrCycle = orchestrate.ErrCycle

	// ErrNoResult says that there is no result, and [RequireResults] forbids
	// computing one.
	ErrNoResult = orchestrate.ErrNoResult

	// ErrFinal is in errors of functions that [Final] marks.
	ErrFinal = orchestrate.ErrFinal

	// ErrPlanned says that there is no result, and that a [Plan] computes none.
	ErrPlanned = orchestrate.ErrPlanned

	// ErrNotImplemented says that a function was declared and never implemented in
	// this program.
	ErrNotImplemented = function.ErrNotImplemented

	// ErrOtherCode says that other code than this program's computed the result,
	// and [CodeCheck] refuses it.
	ErrOtherCode = orchestrate.ErrOtherCode

	// ErrClosed says that the environment was closed.
	ErrClosed = orchestrate.ErrClosed
)

// FuncError says that the user's function failed: it returned an error or
// panicked. mops makes it from what the store keeps, so it looks the same
// wherever the function ran.
type FuncError struct {
	Function string   // its name
	URI      string   // memo URI of the call
	Run      string   // run id
	Message  string   // of the function's error
	Types    []string // Go types of the error and of those it wraps, outermost first
	Panicked bool
	Stack    string // of a panic; else ""

	// Err is the function's error itself if its type is registered with
	// RegisterError, else nil.
	Err error

	transient bool
	is        []string // sentinels of mops
}

func (e *FuncError) Error() string {
	return fmt.Sprintf("%s failed: %s (call %s, run %s)", e.Function, e.Message, e.URI, e.Run)
}

// Unwrap lets errors.As find an error of a registered type.
func (e *FuncError) Unwrap() error { return e.Err }

// Is lets errors.Is find errors of this package, such as [ErrCycle], in the
// function's error, wherever the function ran. It also lets mops see that not
// the function failed but a store or a worker below it: if a caller returns
// such an error, its own failure is not final either.
func (e *FuncError) Is(target error) bool {
	return e.transient && target == worker.ErrTransient || errtree.IsNamed(target, e.is)
}

// Reason is why a worker could not do its work.
type Reason = executor.Reason

// ExecError says that a call failed, and not because of its function: the
// worker could not start, died, or left no result.
type ExecError struct {
	Function string // its name
	URI      string // memo URI of the call
	Reason   Reason
	Message  string // what happened, and what to do
	Tail     string // the last lines that the worker printed, if any
	Err      error  // an *executor.Error, as the executor reported it
}

func (e *ExecError) Error() string {
	message := fmt.Sprintf("%s could not be computed: %s: %s (call %s)", e.Function, e.Reason, e.Message, e.URI)
	if e.Tail != "" {
		message += "\nits last words:\n" + indent(e.Tail)
	}
	return message
}

// Unwrap returns Err.
func (e *ExecError) Unwrap() error { return e.Err }

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// public turns an error from below into the one that users see.
func public(name, uri string, err error) error {
	if err == nil {
		return nil
	}
	err = errtree.Tame(err)
	switch e := err.(type) {
	case *orchestrate.FuncError:
		return &FuncError{Function: e.Function, URI: e.URI, Run: e.RunID, Message: e.Failed.Message,
			Types: slices.Clone(e.Failed.Types), Panicked: e.Failed.Panic, Stack: e.Failed.Stack, Err: e.Unwrap(), transient: e.Failed.Transient, is: e.Failed.Sentinels}
	case *FuncError, *ExecError:
		return err
	}
	if e, ok := errors.AsType[*executor.Error](err); ok {
		return &ExecError{Function: name, URI: uri, Reason: e.Reason, Message: e.Text(), Tail: e.Tail, Err: e}
	}
	if strings.Contains(err.Error(), uri) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w (call %s)", name, err, uri)
}
