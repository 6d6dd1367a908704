package mops

import (
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

// Event is one thing that happened to one call. Fields that its Kind does not
// speak of are zero, and so is what nobody knows.
//
//   - Kind, Time: what happened, when.
//   - Call, Function, MemoURI, Path, Asked: the call's number in this process,
//     "name@version", the folder of its records, the same relative to the root,
//     when it was made.
//   - Caller, CallerCall: memo URI of the call whose function made this one, "" for
//     the program's own calls; its number, if that function runs in this process.
//   - RunID, LeaseID, Attempt, Executor, Worker: the attempt, by its names. A
//     worker is named by its executor; in this process it has no name.
//   - Place: where a worker on another machine is (Host, of a pod its name; Node),
//     and what it asked for and may have (Requests, Limits: CPU in cores, Memory in
//     bytes, GPU in devices).
//   - Stage: how far the attempt is; see executor.Stage.
//   - Wait, For: what a call waits for, and whom, in words. While it waits for a
//     lease, RunID and its like are those of the attempt that is waited for. If it
//     had the lease and lost it, Reason is executor.LeaseLost.
//   - Why: in words, why a result that is there is computed again, a call waits for
//     a slot, or a worker is queued.
//   - Outcome, Err, Reason: how the call ended; of what failed, the error as the
//     caller gets it, and why it failed if its function did not.
//   - Again, Unbegun, Detached: whether another attempt follows one that has ended,
//     whether the function never began, whether the worker runs on unwatched.
//   - Unkept: whether the store does not have the result.
//   - Wall, CPU, PeakMemory: what an attempt took, in bytes of memory; in the last
//     event of a call, what the run took that made the result. So the sum over all
//     hits is what they saved.
//   - Missed: how many events the observer did not get before this one.
type Event = event.Event

// EventKind is what happened to a call.
type EventKind = event.Kind

// The kinds of events. Each call ends with one CallEnded. A hit has only this one,
// and so has a call that fails before it is computed; any other begins with
// CallAsked.
const (
	CallAsked      = event.Asked        // a call was made, and its result is not there
	CallJoined     = event.Joined       // this process makes the same call already, and another caller waits for it: Asked, Caller and CallerCall are about that one
	CallWaiting    = event.Waiting      // it waits: see Wait
	CallTakenOver  = event.TakenOver    // the process that computed it is dead, and this one goes on; RunID and its like are the attempt that was lost, For the session, Place.Host the machine
	AttemptStarted = event.Started      // an attempt was handed to its executor
	AttemptAdopted = event.Adopted      // an attempt that another process had started is followed from now on
	AttemptStage   = event.Stage        // an attempt got further, or more is known of its place
	AttemptEnded   = event.AttemptEnded // an attempt ended; well, if there is no Err
	CallEnded      = event.Ended        // the call has its outcome
)

// EventWait is what a call waits for, in no attempt.
type EventWait = event.Wait

// What calls wait for. A worker that waits for room in a cluster is an attempt, at
// the stage "queued" or "pending".
const (
	WaitSlot  = event.ForSlot  // its executor runs as many functions as it may
	WaitLease = event.ForLease // somebody else computes the call
	WaitRetry = event.ForRetry // the pause before another attempt
)

// Observe has a function told of everything that happens to the calls of the
// environment: for a dashboard, a notification, a statistic of your own. It may be
// given several times. What observe changes in an event changes nothing else.
//
// observe gets the events of a call in order, one at a time, on a goroutine of its
// own and mostly within 10 ms. It can do calls no harm: a panic is logged, the
// first time, and if it is slow, up to 10,000 events wait for it. Further ones are
// dropped; the next event says how many in its Missed, and the log does when the
// environment ends. [Env.Close], which [Main] calls, waits until observe has had
// what waits for it, for at most 5 s.
//
// In a worker's process, observe is told of the calls that the function makes
// there.
func Observe(observe func(Event)) EnvOption {
	return envOption(func(e *envOptions) { e.observers = append(e.observers, observe) })
}

// publicOf is an event's error as the caller of its call gets it.
func publicOf(e Event) error {
	if e.Err == nil {
		return nil
	}
	name, _, _ := strings.Cut(e.Function, "@")
	return public(name, e.MemoURI, e.Err)
}

// observe lets all who tell of calls hear of them.
func (env *Env) observe(observers []func(Event)) {
	env.events.Direct(env.tracker.Observe)
	if env.journal != nil {
		env.events.Direct(env.journal.Observe)
	}
	if env.plan != nil {
		env.events.Direct(env.plan.observe)
	}
	env.queue(observers)
}

// queue has each observer get its events on a goroutine of its own.
func (env *Env) queue(observers []func(Event)) {
	for _, observe := range observers {
		env.events.Queued(func(e Event) {
			e.Err = publicOf(e)
			observe(e)
		}, env.logger)
	}
}
