// Package lease decides who computes a call. A session is one living process,
// told by one small blob that it renews; a lease gives one call to one session.
// Both change by compare-and-swap only, so at any moment at most one lease id
// holds a call. Leases save work; that results are right, the write-once
// result makes sure. The packages orchestrate and worker stand above, record,
// process and blob below.
package lease

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/runs"
)

// Status is whether a lease gives its call to anybody.
type Status string

// The states of a lease.
const (
	StatusHeld     Status = "held"     // as long as its session lives
	StatusReleased Status = "released" // free to take; the outcome says what became of the run
)

// State is what a lease says. Times and names in it are for people: nothing is
// decided by the clock or the host name of another machine.
type State struct {
	Key          string    `json:"key"` // of the lease's blob; Put writes it, so that a copied lease is found out
	runs.ID                // the present one
	Status       Status    `json:"status"`
	Session      string    `json:"session"`          // that computes
	Orchestrator string    `json:"orchestrator"`     // session that waits for it; may be the same
	Handle       string    `json:"handle,omitempty"` // by which the executor finds the worker again
	Host         string    `json:"host,omitempty"`
	User         string    `json:"user,omitempty"`
	Since        time.Time `json:"since,omitzero"`
	Outcome      *Outcome  `json:"outcome,omitempty"` // of a released lease
	Nonce        string    `json:"nonce"`             // new in every put; Put writes it
}

// Outcome is what those who waited for a run are told.
type Outcome struct {
	Kind    runs.Ending `json:"kind"`
	RunID   string      `json:"run_id,omitempty"`
	Reason  string      `json:"reason,omitempty"` // an executor.Reason
	Message string      `json:"message,omitempty"`
	Detail  string      `json:"detail,omitempty"` // more than fits into a message, such as the tail of a log
}

// mostMessage bounds the message in a lease, in bytes: a user's error may have a
// text of any length, and the record of the error has all of it.
const mostMessage = 64 << 10

// brief is o with a message that fits into a lease.
func (o *Outcome) brief() *Outcome {
	if o == nil || len(o.Message) <= mostMessage {
		return o
	}
	brief := *o
	brief.Message = strings.ToValidUTF8(o.Message[:mostMessage], "") + "…"
	return &brief
}

// NewID returns a new random id of a lease or a session: 26 lower-case letters
// and digits, 128 bits.
func NewID() string { return strings.ToLower(rand.Text()) }
