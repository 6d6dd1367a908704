// Package summary keeps what the last runs of programs did: a small JSON file
// for each, in the user's state folder. It takes what package progress counted;
// the root package writes it when a program ends, and the command line tool
// reads it.
package summary

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Format is the version of the format that is written.
const Format = 1

// Summary is one run of a program. Times are in UTC, seconds are decimal. It
// has no values of arguments and no credentials: those may be secrets.
type Summary struct {
	Format    int       `json:"mops_summary"`
	Program   string    `json:"program"`           // path of the executable
	Version   string    `json:"version,omitempty"` // of its main module
	Revision  string    `json:"revision,omitempty"`
	Dirty     bool      `json:"dirty,omitempty"` // built from sources that differ from the revision
	Arguments int       `json:"arguments"`       // how many
	Host      string    `json:"host,omitempty"`
	PID       int       `json:"pid"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"` // Write sets it to now where it is zero
	Exit      int       `json:"exit"`
	Cancelled bool      `json:"cancelled,omitempty"` // by a signal
	Root      string    `json:"root,omitempty"`
	Pipelines []string  `json:"pipelines,omitempty"`

	Totals    Totals     `json:"totals"`
	Functions []Function `json:"functions"`
	Longest   []Call     `json:"longest,omitempty"`  // ten, longest first
	Failures  []Call     `json:"failures,omitempty"` // the first hundred
}

// Totals are numbers of calls, and how long those ran that were computed.
type Totals struct {
	Calls     int64 `json:"calls"`
	Hits      int64 `json:"hits"`
	Computed  int64 `json:"computed"`
	Awaited   int64 `json:"awaited"`
	Failed    int64 `json:"failed"`
	Cancelled int64 `json:"cancelled"`
	Open      int64 `json:"open,omitempty"` // under way when the program ended

	// How far the workers of those were; the others had none.
	Queued   int64 `json:"queued,omitempty"`
	Pending  int64 `json:"pending,omitempty"`
	Starting int64 `json:"starting,omitempty"`
	Running  int64 `json:"running,omitempty"`

	ComputingSeconds float64 `json:"computing_seconds"` // all together
	LongestSeconds   float64 `json:"longest_seconds"`
}

// Function is what one function did.
type Function struct {
	Name string `json:"name"`
	Totals
}

// Call is one call that stands out.
type Call struct {
	Function string        `json:"function"`
	MemoURI  string        `json:"memo_uri"`
	Run      string        `json:"run,omitempty"`
	Seconds  float64       `json:"seconds,omitempty"`
	Outcome  event.Outcome `json:"outcome"`
	Error    string        `json:"error,omitempty"` // its first line
}

// New begins the summary of this process.
func New(start time.Time) Summary {
	s := Summary{Format: Format, Arguments: max(len(os.Args)-1, 0), PID: os.Getpid(), Start: start.UTC()}
	s.Program, _ = os.Executable()
	s.Host, _ = os.Hostname()
	build := record.ThisProgram()
	s.Revision, s.Dirty = build.Revision, build.Dirty
	if build.Version != "(devel)" {
		s.Version = build.Version
	}
	return s
}

// Count takes over what was counted.
func (s *Summary) Count(snapshot progress.Snapshot) {
	s.Totals, s.Functions = totalsOf(snapshot.Total()), nil
	for _, f := range snapshot.Functions {
		s.Functions = append(s.Functions, Function{f.Name, totalsOf(f)})
	}
	s.Longest, s.Failures = callsOf(snapshot.Longest), callsOf(snapshot.Failures)
}

func totalsOf(f progress.Function) Totals {
	return Totals{
		Calls: f.Started, Hits: f.Hits, Computed: f.Computed, Awaited: f.Awaited, Failed: f.Failed,
		Cancelled: f.Cancelled, Open: f.Outstanding(), Queued: f.Queued, Pending: f.Pending, Starting: f.Starting, Running: f.Running,
		ComputingSeconds: seconds(f.Computing), LongestSeconds: seconds(f.Longest),
	}
}

func callsOf(ended []progress.Ended) (calls []Call) {
	for _, e := range ended {
		calls = append(calls, Call{
			Function: e.Function, MemoURI: withoutSecrets(e.MemoURI), Run: e.RunID,
			Seconds: seconds(e.Took), Outcome: e.Outcome, Error: e.Error,
		})
	}
	return calls
}

// seconds to the millisecond: more says nothing about a run.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond)/time.Millisecond) / 1000
}

// withoutSecrets is a URI without user, password and query, which is where
// access keys and signatures are.
func withoutSecrets(uri string) string {
	parsed, err := url.Parse(uri)
	if err != nil {
		before, _, _ := strings.Cut(uri, "?")
		if scheme, rest, ok := strings.Cut(before, "://"); ok && strings.Contains(rest, "@") {
			return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
		}
		return before
	}
	if parsed.User == nil && parsed.RawQuery == "" {
		return uri
	}
	parsed.User, parsed.RawQuery, parsed.ForceQuery = nil, "", false
	return parsed.String()
}

// name is the program's name, as it is part of the name of the file.
func (s Summary) name() string { return fileName(filepath.Base(s.Program)) }
