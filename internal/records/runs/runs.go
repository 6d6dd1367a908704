// Package runs has the words for one execution of a call: its names, and how it
// may end. Leases, records, workers and the tool all speak of runs, and mean the
// same; executors see the same names, so they are defined in package executor.
package runs

import (
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// ID names one execution of a call, in whatever process. Structs that describe
// more of a run embed it: a field added to it travels to all of them.
type ID = executor.ID

// New is the first run under a lease, within a run of a program.
func New(leaseID, executor, programRun string) ID {
	return ID{LeaseID: leaseID, RunID: NewRunID(), Attempt: 1, Executor: executor, ProgramRun: programRun}
}

// Next is the run that follows when a run has failed.
func Next(failed ID) ID {
	failed.Attempt++
	failed.RunID = NewRunID()
	return failed
}

// NewRunID returns the id of a run that begins now.
func NewRunID() string { return words.NewRunID(time.Now()) }

// Reason is why a run ended with ExecError.
type Reason = executor.Reason

// Ending is how a run ended. Records and leases contain these words: the list
// only grows.
type Ending string

// The endings.
const (
	OK        Ending = "ok"
	FuncError Ending = "func_error" // the user's function returned an error
	Panic     Ending = "panic"      // the user's function panicked
	ExecError Ending = "exec_error" // the executor or the worker failed; a Reason says how
	LostRace  Ending = "lost_race"  // another run's result was there first
	Cancelled Ending = "cancelled"  // nobody waited any more
	Broken    Ending = "broken"     // a person broke the lease
	Injected  Ending = "injected"   // nothing ran: a person put the result
)
