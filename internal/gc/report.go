package gc

import (
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/progress"
)

// Total is a number of things and their size.
type Total struct {
	Count int64 `json:"count"`
	Bytes int64 `json:"bytes"`
}

func (t *Total) add(count, bytes int64) {
	t.Count += count
	t.Bytes += bytes
}

// Ages are the ages that are told apart: less than each of these, and more than
// the last.
var Ages = [...]time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour, 365 * 24 * time.Hour}

// ByAge are totals for each of Ages, and one for what is older.
type ByAge [len(Ages) + 1]Total

func (b *ByAge) add(age time.Duration, bytes int64) {
	i := 0
	for i < len(Ages) && age >= Ages[i] {
		i++
	}
	b[i].add(1, bytes)
}

// Function is what one version of a function has in one pipeline. A call is as
// old as what was written of it last.
type Function struct {
	Pipeline string    `json:"pipeline"`
	Function string    `json:"function"`
	Version  string    `json:"version"`
	Calls    int64     `json:"calls"`
	Results  int64     `json:"results"`
	Errors   int64     `json:"errors"` // a call may have both
	Blobs    int64     `json:"blobs"`
	Bytes    int64     `json:"bytes"`
	Oldest   time.Time `json:"oldest"`
	Newest   time.Time `json:"newest"`
	ByAge    ByAge     `json:"by_age"`
}

// Fate is what became of a call that was chosen.
type Fate string

// The fates.
const (
	Removed    Fate = "removed"
	Later      Fate = "later"       // its result; what that refers to goes when the grace has passed
	FilesNamed Fate = "files_named" // without files that records of other calls name
	Living     Fate = "living"      // left alone: somebody who lives computes it
	HandedOver Fate = "handed_over" // left alone: a worker that has not started yet may have it
	Changed    Fate = "changed"     // left alone: it was written to, or removed, since it was listed
	Unreadable Fate = "unreadable"  // left alone: its lease is one of a newer mops
	Failed     Fate = "failed"      // the store refused, or the run was interrupted
)

// Report is what was found and done.
type Report struct {
	Now       time.Time  `json:"now"` // by the store's clock
	Functions []Function `json:"functions"`
	Shared    ByAge      `json:"shared"`   // content that calls share
	Sessions  ByAge      `json:"sessions"` // of processes, past and present
	Unknown   Total      `json:"unknown"`  // blobs among the calls that are none of mops's

	Chosen  Total          `json:"chosen"`  // calls that match the selection
	Fates   map[Fate]int64 `json:"fates"`   // of them, and of remains; empty unless something was to be removed
	Remains Total          `json:"remains"` // of calls: unfinished ones, and files of runs that came second
	Content Total          `json:"content"` // content that no record names, and old enough
	Dead    Total          `json:"dead"`    // sessions of dead processes, and what checks left behind

	Freed    Total    `json:"freed"`    // blobs that were removed
	Problems []string `json:"problems"` // what could not be done; some of many
	Failures int64    `json:"failures"` // how many those are
}

// Progress may be looked at while a run goes on, from any goroutine. Its zero
// value is ready.
type Progress struct {
	progress.Phases
	freed atomic.Int64
}

// Moment is how far a run is.
type Moment struct {
	Phase string // what is being done; "" before the run begins
	Done  int64  // calls, or blobs
	Of    int64  // 0 where it is not known yet
	Freed int64  // blobs that were removed, in all phases
}

// Now is how far the run is.
func (p *Progress) Now() Moment {
	m := Moment{Freed: p.freed.Load()}
	m.Phase, m.Done, m.Of = p.Phases.Now()
	return m
}
