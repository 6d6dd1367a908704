// Package far is what the two ends of a connection to another machine say to each
// other, so that one starts a worker there and the other watches it: executor/remote
// here, internal/engine/agent there. Both ends are the same program, so this is no
// format that lasts; but a worker may be older than the program that comes back to it,
// so fields are only added.
//
// Each side writes values of JSON, one a line: whatever carries the connection may
// hold lines back, or change how they end, and does no harm.
package far

import (
	"context"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
)

// Variable makes a process the agent of a worker: how it was put there; see
// [Serve] and [Check].
const Variable = "MOPS_AGENT"

// GraceVariable tells a worker's process the time between SIGTERM and SIGKILL, as Go
// writes it: "10s".
const GraceVariable = "MOPS_STOP_GRACE"

// Values of [Variable].
const (
	Serve = "serve"  // the program was there
	Check = "check:" // it came just now; what follows is its SHA-256
)

// Beats keep a connection from being taken for dead.
const (
	BeatEvery = 10 * time.Second
	Silence   = 60 * time.Second // after which a connection counts as lost
)

// Request is what the executor says.
type Request struct {
	Start  *Start  `json:"start,omitempty"`
	Attach *Attach `json:"attach,omitempty"`
	Stop   bool    `json:"stop,omitempty"`  // end the worker with all that it started
	Kill   bool    `json:"kill,omitempty"`  // the same, without giving it time
	Leave  bool    `json:"leave,omitempty"` // the worker runs on, unwatched; or it is known how it ended
}

// Start is the worker to start.
type Start struct {
	Name     string        `json:"name"` // by which it is found again
	Function string        `json:"function"`
	MemoURI  string        `json:"memo_uri"`
	Env      []string      `json:"env"`
	Grace    time.Duration `json:"grace"`            // between SIGTERM and SIGKILL, in nanoseconds
	Folder   string        `json:"folder,omitempty"` // of the call: there, if machines share the root
}

// Attach is the worker to find.
type Attach struct {
	Name string `json:"name"`
	From int64  `json:"from"` // how many bytes of its output came already
}

// Report is what the agent says. One without a field is a beat.
type Report struct {
	Hello   *Hello `json:"hello,omitempty"` // first
	Started bool   `json:"started,omitempty"`
	Gone    bool   `json:"gone,omitempty"` // there is no such worker
	Refused string `json:"refused,omitempty"`
	Log     []byte `json:"log,omitempty"`
	Exit    *Exit  `json:"exit,omitempty"` // last
}

// Hello says where the agent is.
type Hello struct {
	Host string `json:"host"`
}

// Exit is an executor.Exit.
type Exit struct {
	Code       int             `json:"code"`
	Reason     executor.Reason `json:"reason,omitempty"`
	Message    string          `json:"message,omitempty"`
	Tail       string          `json:"tail,omitempty"`
	CPU        time.Duration   `json:"cpu,omitempty"` // in nanoseconds
	PeakMemory int64           `json:"peak_memory,omitempty"`
}

// ExitOf is how a worker of a subprocess ended, for the other side.
func ExitOf(e executor.Exit) *Exit {
	exit := &Exit{Code: e.Code, CPU: e.CPU, PeakMemory: e.PeakMemory}
	if e.Err != nil {
		exit.Reason, exit.Message, exit.Tail = e.Err.Reason, e.Err.Text(), e.Err.Tail
	}
	return exit
}

// Executor is the exit of a worker on that host; stopped says that this side ended it.
func (e *Exit) Executor(host string, stopped bool) executor.Exit {
	exit := executor.Exit{Code: e.Code, CPU: e.CPU, PeakMemory: e.PeakMemory}
	if e.Reason != "" {
		exit.Err = &executor.Error{Reason: e.Reason, Message: "on " + host + ", " + e.Message, Tail: e.Tail}
		if stopped {
			exit.Err.Err = context.Canceled
		}
	}
	return exit
}
