package lease

import (
	"context"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// SessionPrefix is where sessions lie below the root of the store.
const SessionPrefix = "mops1-sessions/"

// The states of a session.
const (
	Live  = "live"  // while it is renewed
	Ended = "ended" // its process closed it
	Dead  = "dead"  // a judge found that it was not renewed
)

// SessionState is what a session's blob says.
type SessionState struct {
	ID           string         `json:"session_id"`
	State        string         `json:"state"`
	Process      string         `json:"process"` // as process.Identity prints itself
	User         string         `json:"user,omitempty"`
	Program      record.Program `json:"program,omitzero"`
	Began        time.Time      `json:"began,omitzero"` // for people
	TTLSeconds   float64        `json:"ttl_seconds"`    // after so long without renewal, it is dead
	RenewSeconds float64        `json:"renew_seconds"`  // how often it intends to renew
	Renewal      int            `json:"renewal"`        // counts the writes
	JudgedBy     string         `json:"judged_by,omitempty"`
	Reason       string         `json:"reason,omitempty"` // why it was declared dead
	Waits        []Wait         `json:"waits,omitempty"`
	Nonce        string         `json:"nonce"` // new in every write: S3 gives equal content equal ETags
}

// Wait is a hint for finding calls that wait for each other in a circle.
type Wait struct {
	Call string `json:"call"` // the call that cannot go on
	For  string `json:"for"`  // before this one is done
}

func sessionKey(id string) string { return SessionPrefix + id }

// ReadSession returns what a session's blob says, for people and tools. Only a
// Judge can tell whether the session lives.
func ReadSession(ctx context.Context, store *blob.Store, id string) (SessionState, blob.Info, error) {
	var state SessionState
	info, err := fetch(ctx, store, sessionKey(id), record.KindSession, &state)
	return state, info, err
}

const (
	defaultRenew = 8 * time.Second
	defaultTTL   = 24 * time.Second
	longestTTL   = time.Hour // a record that claims a longer one is not believed
)

// ttl is the time to live that the record claims, within reason.
func (s SessionState) ttl() time.Duration { return believe(s.TTLSeconds, defaultTTL, longestTTL) }

// renew is the pace of renewals that the record claims, within reason.
func (s SessionState) renew() time.Duration {
	return believe(s.RenewSeconds, s.ttl()/3, s.ttl())
}

func believe(seconds float64, fallback, limit time.Duration) time.Duration {
	if !(seconds > 0) {
		return fallback
	}
	if seconds >= limit.Seconds() {
		return limit
	}
	return time.Duration(seconds * float64(time.Second))
}
