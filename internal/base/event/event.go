// Package event has the one type for everything that happens to a call, and the
// stream that hands events to observers. The engine makes events, in one place;
// whatever tells of calls (progress, summaries, log lines, runs, traces, users'
// own observers) reads them and counts nothing else.
package event

import (
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Event is one thing that happened to one call. Of the fields, those of the call
// are always set; of the others, what Kind says, as far as it is known.
//
// Each call ends exactly once, with an event of the kind Ended, and nothing
// follows. Of a call that is a hit, or fails before it is computed, this is the
// only one. Any other begins with Asked. Calls of one process that are under
// way at the same time, with the same input and settings, are one call: its
// further callers are told by Joined.
type Event struct {
	Kind Kind
	Time time.Time // when it happened

	// The call.
	Call       uint64    // its number in this process, from 1
	Function   string    // "name@version"
	MemoURI    string    // the folder of its records
	Path       string    // the same, relative to its root
	Asked      time.Time // when the call was made
	Caller     string    // memo URI of the call whose function made it; "" for the program's own
	CallerCall uint64    // number of that call, if its function runs in this process; else 0

	// ID names the attempt: RunID, LeaseID, Attempt and Executor. For a hit, RunID
	// and Executor are those of the run that made the result long ago, and the others
	// are not set.
	executor.ID
	Worker string         // the handle of the attempt's worker; "" in this process
	Place  executor.Place // where the attempt runs, and with what

	Stage executor.Stage // how far the attempt is: with Stage
	Wait  Wait           // what the call waits for: with Waiting; for a lease, ID is the attempt under it
	For   string         // whom or what it waits for, for people: with Waiting
	Why   string         // for people: why there is a result and it is computed again (Asked), why the worker is queued (Stage), why it waits for a slot, or waits again (Waiting)

	Outcome Outcome         // how the call came to its end: with Ended
	Reason  executor.Reason // why the attempt failed, if the function did not: with AttemptEnded and Ended; LeaseLost, where the call waits because of that: with Waiting
	Err     error           // of what failed; it may be shared: do not change it
	Result  string          // hash of what the function returned: with Ended, of a call that was computed
	Unkept  bool            // the store does not have the result: with Ended

	// With AttemptEnded:
	Again    bool // another attempt follows
	Unbegun  bool // its worker ended before it had begun
	Detached bool // its worker runs on, and nobody here follows it any more

	// What the attempt took, with AttemptEnded; what the run took that made the
	// result, with Ended. For a hit this is what it saved.
	Wall       time.Duration // from the beginning of the function to its end; of a failed attempt, from its start
	CPU        time.Duration // user and system, of the whole process; 0 if unknown
	PeakMemory int64         // bytes, of the whole process; 0 if unknown

	Missed uint64 // how many events before this one the observer did not get, since it was too slow

	root string // of a MemoURI that is yet to be made; see Below
}

// Below says where the records of the call of e lie: the URI of a root, and a path
// below it. Most who hear of a hit do not ask, so MemoURI is made by Complete only.
func Below(e *Event, root, path string) { e.root, e.Path = root, path }

// Complete makes what e leaves out until somebody asks: all observers but those of
// [Stream.Direct] get complete events.
func Complete(e *Event) {
	if e.MemoURI == "" && e.root != "" {
		e.MemoURI = e.root + "/" + e.Path
	}
}

// Kind is what happened.
type Kind string

// The kinds.
const (
	Asked        Kind = "asked"         // a call was made whose result was not there
	Joined       Kind = "joined"        // somebody else made the same call: Caller, CallerCall and Asked are theirs
	Waiting      Kind = "waiting"       // it waits: see Wait
	Started      Kind = "started"       // an attempt begins; Time is when it was handed to the executor
	Adopted      Kind = "adopted"       // an attempt that another process had started is followed from now on
	Stage        Kind = "stage"         // how far the attempt is, or where, has changed
	AttemptEnded Kind = "attempt-ended" // successfully, where there is no Err
	TakenOver    Kind = "taken-over"    // who computed the call is dead: ID is the attempt, Place.Host the machine, For the session
	Ended        Kind = "ended"         // the call has its outcome
)

// Wait is what a call waits for while it has no attempt under way.
type Wait string

// What calls wait for. While a worker waits for room, the attempt is at the
// stage queued or pending.
const (
	ForSlot  Wait = "slot"  // its executor runs as many functions as it may
	ForLease Wait = "lease" // somebody else computes it
	ForRetry Wait = "retry" // a pause before the next attempt
)

// Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	Hit       Outcome = "hit"       // the result was there
	Computed  Outcome = "computed"  // this process, or a worker of its, made the result
	Awaited   Outcome = "awaited"   // somebody else made it meanwhile
	Failed    Outcome = "failed"    // with an error
	Cancelled Outcome = "cancelled" // nobody wanted it any more
)

var calls atomic.Uint64

// NextCall is the number of a call that is made now.
func NextCall() uint64 { return calls.Add(1) }
