package executor

import "errors"

// ErrGone says that a handle names no running worker.
var ErrGone = errors.New("the worker is gone")

// Reason is why a worker could not do its work. The list only grows.
type Reason string

const (
	LaunchFailed     Reason = "LaunchFailed"     // the worker could not be started
	Signalled        Reason = "Signalled"        // killed by a signal that did not come from mops
	OOMKilled        Reason = "OOMKilled"        // ran out of memory
	NoResult         Reason = "NoResult"         // ended without a result or an error in the store
	WorkerFailed     Reason = "WorkerFailed"     // mops failed in the worker; its log says how
	WorkerLost       Reason = "WorkerLost"       // vanished; nothing shows how it ended
	VersionSkew      Reason = "VersionSkew"      // the worker's program is not the caller's
	DeadlineExceeded Reason = "DeadlineExceeded" // took longer than the timeout
	LeaseLost        Reason = "LeaseLost"        // somebody else took the call over
	ReusedWorker     Reason = "ReusedWorker"     // its process died, and had run other calls before, one of which may be the cause

	LaunchRejected Reason = "LaunchRejected" // the cluster did not take the job: forbidden, invalid, over its quota
	Unschedulable  Reason = "Unschedulable"  // no node has the resources that the worker asks for
	ImagePull      Reason = "ImagePull"      // the worker's image could not be pulled
	NotStarted     Reason = "NotStarted"     // the worker's container could not be started: a secret is missing, …
	Preempted      Reason = "Preempted"      // gave way to something else, too often
	Evicted        Reason = "Evicted"        // the node ran short of something, or was drained
	NodeLost       Reason = "NodeLost"       // the node does not answer any more, and the worker gives no sign of life
)

// Error is a failure of an executor or a worker, not of the user's function.
type Error struct {
	Reason  Reason
	Message string // what happened, to whom, what to do
	Tail    string // the last lines that the worker printed, if any
	Err     error
}

func (e *Error) Error() string { return string(e.Reason) + ": " + e.Text() }

// Text is the message with its cause, but without the reason.
func (e *Error) Text() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }
