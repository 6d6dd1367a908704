// Package runs has the words for one execution of a call: its names, and how it
// may end. It is a leaf: leases, records, workers, executors and the tool all
// speak of runs, and mean the same.
package runs

import (
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// ID names one execution of a call, in whatever process. Structs that describe
// more of a run embed it: a field added here travels to all of them.
type ID struct {
	LeaseID  string `json:"lease_id"`           // the lease it computes under; "" if nothing is kept
	RunID    string `json:"run_id,omitempty"`   // its own, such as 2611231412-SkirtBus
	Attempt  int    `json:"attempt,omitempty"`  // 1 for the first under its lease
	Executor string `json:"executor,omitempty"` // the name of the one that has its worker
}

// New is the first run under a lease.
func New(leaseID, executor string) ID {
	return ID{LeaseID: leaseID, RunID: NewRunID(), Attempt: 1, Executor: executor}
}

// Next is the run that follows when r has failed.
func (r ID) Next() ID {
	r.Attempt++
	r.RunID = NewRunID()
	return r
}

// NewRunID returns the id of a run that begins now.
func NewRunID() string { return words.NewRunID(time.Now()) }

// Ending is how a run ended. Records and leases contain these words: the list
// only grows.
type Ending string

// The endings.
const (
	OK        Ending = "ok"
	FuncError Ending = "func_error" // the user's function returned an error
	Panic     Ending = "panic"      // the user's function panicked
	ExecError Ending = "exec_error" // the executor or the worker failed; a reason says how
	LostRace  Ending = "lost_race"  // another run's result was there first
	Cancelled Ending = "cancelled"  // nobody waited any more
	Broken    Ending = "broken"     // a person broke the lease
	Injected  Ending = "injected"   // nothing ran: a person put the result
)
