// Package lease decides which process computes a call. A session is one living
// process, shown by one small blob that it renews; a lease gives one call to
// one session. Both change by compare-and-swap only, so at any moment at most
// one lease id holds a call. Leases only save work: results are right because
// each is written once. The packages orchestrate and worker stand above,
// record, process and blob below.
package lease

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Status says whether a lease gives its call to a session.
type Status string

// The states of a lease.
const (
	StatusHeld     Status = "held"     // while its session lives
	StatusReleased Status = "released" // free to take; the outcome says how the run ended
)

// State is what a lease says. Its times and names are for people: nothing is
// decided by the clock or the host name of another machine.
type State struct {
	Key          string    `json:"key"` // of the lease's blob; Put writes it, to find out a copied lease
	runs.ID                // the present run
	Status       Status    `json:"status"`
	Session      string    `json:"session"`          // the one that computes
	Orchestrator string    `json:"orchestrator"`     // the session that waits for it; may be the same
	Handle       string    `json:"handle,omitempty"` // lets the executor find the worker again
	Host         string    `json:"host,omitempty"`
	User         string    `json:"user,omitempty"`
	Since        time.Time `json:"since,omitzero"`
	Outcome      *Outcome  `json:"outcome,omitempty"` // of a released lease
	Nonce        string    `json:"nonce"`             // new in every put; Put writes it
}

// Outcome is what the waiters of a run are told.
type Outcome struct {
	Kind    runs.Ending `json:"kind"`
	RunID   string      `json:"run_id,omitempty"`
	Reason  runs.Reason `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
	Detail  string      `json:"detail,omitempty"` // longer than a message, such as the tail of a log
}

// mostMessage bounds the message in a lease, in bytes: a user's error may be of
// any length, and the record of the error has all of it.
const mostMessage = 64 << 10

// brief returns o with a message that fits into a lease.
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
