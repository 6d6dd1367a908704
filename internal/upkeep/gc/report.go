package gc

import (
	"sync/atomic"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/progress"
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

// Ages are the bounds between groups of ages: less than each of these, and more
// than the last.
var Ages = [...]time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour, 365 * 24 * time.Hour}

// ByAge has a total for each of Ages, and one for everything older.
type ByAge [len(Ages) + 1]Total

func (b *ByAge) add(age time.Duration, bytes int64) {
	i := 0
	for i < len(Ages) && age >= Ages[i] {
		i++
	}
	b[i].add(1, bytes)
}

// Function is what one version of a function has in one pipeline. A call is as
// old as its latest write.
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

// Fate is what became of a chosen call.
type Fate string

// The fates.
const (
	Removed    Fate = "removed"
	Later      Fate = "later"       // its result is removed; what that refers to goes after the grace
	FilesNamed Fate = "files_named" // removed, without files that records of other calls name
	Living     Fate = "living"      // left alone: a living session computes it
	HandedOver Fate = "handed_over" // left alone: a worker that has not started yet may have it
	Changed    Fate = "changed"     // left alone: it was written or removed after it was listed
	Unreadable Fate = "unreadable"  // left alone: a newer mops wrote its lease
	Failed     Fate = "failed"      // the store refused, or the run was interrupted
)

// Report is what was found and done.
type Report struct {
	Now       time.Time  `json:"now"` // by the store's clock
	Functions []Function `json:"functions"`
	Shared    ByAge      `json:"shared"`   // content that calls share
	Sessions  ByAge      `json:"sessions"` // of processes, past and present
	Runs      ByAge      `json:"runs"`     // of programs; as old as what they wrote last
	Unknown   Total      `json:"unknown"`  // blobs among the calls that are not mops's

	Chosen  Total          `json:"chosen"`  // calls that match the selection
	Fates   map[Fate]int64 `json:"fates"`   // of chosen calls and remains; empty unless something was to be removed
	Remains Total          `json:"remains"` // of calls: unfinished ones, and files of runs that came second
	Content Total          `json:"content"` // old content that no record names
	Dead    Total          `json:"dead"`    // sessions of dead processes, and what checks left behind

	OldRuns Total `json:"old_runs"` // runs of programs that are chosen

	Freed    Total    `json:"freed"`    // blobs that were removed
	Problems []string `json:"problems"` // failures, in words; some if there are many
	Failures int64    `json:"failures"` // number of all failures
}

// Progress shows how far a run is; any goroutine may look at it meanwhile. Its
// zero value is ready.
type Progress struct {
	progress.Phases
	freed atomic.Int64
}

// Moment is how far a run is.
type Moment struct {
	Phase string // the present phase; "" before the run begins
	Done  int64  // calls, or blobs
	Of    int64  // 0 while unknown
	Freed int64  // blobs removed, in all phases
}

// Now is how far the run is.
func (p *Progress) Now() Moment {
	m := Moment{Freed: p.freed.Load()}
	m.Phase, m.Done, m.Of = p.Phases.Now()
	return m
}
