// Package programs is the store format of the runs of programs: who ran what,
// where and when, and what became of its calls, for everybody who shares the root.
// A "run" here is one execution of a program, not of a call (see package runs).
//
//	<root>/mops1-runs/<run id>/head.json                      what is known at the start
//	<root>/mops1-runs/<run id>/calls-000001.jsonl …           what happened since the segment before
//	<root>/mops1-runs/<run id>/calls-<worker>-000001.jsonl …  the same of a worker whose function makes calls
//	<root>/mops1-runs/<run id>/end.json                       how it ended; missing while it runs, and if it was killed
//
// Nothing is ever changed: a segment is written once and whole. Its first line is a
// [State], each further one a [Call] that has ended. It may begin with the lines of the
// one before it in the same part, which is then removed. Of each function's hits the
// first [MostHits] are listed; the others are in the totals alone.
//
// The format is for people and tools: JSON, seconds as decimal numbers, times of a
// call in seconds since the run's start. Since the first release only optional
// fields come along. Readers ignore fields and files that they do not know, and
// refuse a head of a later format.
package programs

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Prefix is where runs lie below the root of a store.
const Prefix = "mops1-runs/"

// Format is the number in each head.
const Format = 1

// What a run lists.
const (
	MostHits = 1000 // of each function, in each process
	MostOpen = 100  // calls under way, in each state

	mostError = 1 << 10 // bytes of the first line of an error
)

// Line is what a run says of an error: its first line, or the beginning of that.
func Line(message string) string {
	line := text.FirstLine(message)
	if len(line) <= mostError {
		return line
	}
	return strings.ToValidUTF8(line[:mostError], "") + "…"
}

// Head says what is known of a run when it begins. It has no values of arguments
// and no credentials: those may be secrets.
type Head struct {
	Format    int               `json:"mops_run"`
	ID        string            `json:"id"`
	Program   string            `json:"program"` // path of the executable
	Build     record.Program    `json:"build,omitzero"`
	OS        string            `json:"os,omitempty"`
	Arch      string            `json:"arch,omitempty"`
	Arguments int               `json:"arguments"` // how many
	Host      string            `json:"host,omitempty"`
	User      string            `json:"user,omitempty"`
	PID       int               `json:"pid"`
	Start     time.Time         `json:"start"` // by the clock of Host
	Root      string            `json:"root,omitempty"`
	Pipeline  string            `json:"pipeline,omitempty"`
	Config    string            `json:"config,omitempty"`  // path of the config file
	Options   map[string]string `json:"options,omitempty"` // settings that are not the default: "executor": "k8s"
	Fields    map[string]any    `json:"fields,omitempty"`  // the user's own
}

// Name is what people know the program by: the path of its executable, or, if the
// go command built that to run it once, the path of its main package.
func (h Head) Name() string {
	if !process.BuiltToRun(h.Program) {
		return h.Program
	}
	base := path.Base(filepath.ToSlash(h.Program))
	switch {
	case h.Build.Path == "" || h.Build.Path == "command-line-arguments": // of go run main.go
		return base
	case strings.HasSuffix(base, ".test"):
		return h.Build.Path + ".test" // as the go command calls it
	}
	return h.Build.Path
}

// At is the moment of a time of a call.
func (h Head) At(seconds float64) time.Time {
	return h.Start.Add(time.Duration(seconds * float64(time.Second)))
}

// Seconds is a duration as the format has it, to the microsecond.
func Seconds(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e6 }

// Interval is how long after a write the next one comes, in a run of this age: a kill
// loses seconds at first, and a long run does not write without end.
func Interval(age time.Duration) time.Duration {
	return min(max(age/200, 3*time.Second), time.Minute)
}

// Overdue is how long after its latest write a run of this age, at that moment,
// counts as broken off: some writes may have met a store that was away.
func Overdue(age time.Duration) time.Duration { return 3*Interval(age) + 30*time.Second }

// State is what one process has counted up to a moment.
type State struct {
	At        float64        `json:"at"`                // seconds since the run's start
	Next      float64        `json:"next,omitempty"`    // the next write comes within so many seconds; 0 for the last one
	Part      int            `json:"part,omitempty"`    // number of the first segment of this process whose calls this one has, too; 0 for its own
	Functions []Function     `json:"functions"`         // in the order of their first calls
	Open      []Open         `json:"open,omitempty"`    // at most MostOpen, oldest first
	Dropped   int64          `json:"dropped,omitempty"` // calls that are not listed since the store was away
	Fields    map[string]any `json:"fields,omitempty"`  // the user's own that came since the start
}

// Function is what was counted of one function.
type Function struct {
	Name string `json:"name"`
	Totals
	Used  []Use `json:"used,omitempty"`  // by runs of calls that this run computed, failed ones too
	Saved []Use `json:"saved,omitempty"` // that hits avoided: what their results once took
}

// Totals are numbers of calls, and how long those ran that were computed.
type Totals struct {
	Calls     int64 `json:"calls"`
	Hits      int64 `json:"hits,omitempty"`
	Listed    int64 `json:"hits_listed,omitempty"` // of the hits
	Computed  int64 `json:"computed,omitempty"`
	Awaited   int64 `json:"awaited,omitempty"` // somebody else computed it
	Failed    int64 `json:"failed,omitempty"`
	Cancelled int64 `json:"cancelled,omitempty"`

	// Those that have not ended, by how far they are.
	Waiting  int64 `json:"waiting,omitempty"`  // for a slot
	Awaiting int64 `json:"awaiting,omitempty"` // for somebody else
	Queued   int64 `json:"queued,omitempty"`
	Pending  int64 `json:"pending,omitempty"`
	Starting int64 `json:"starting,omitempty"`
	Running  int64 `json:"running,omitempty"`

	ComputingSeconds float64 `json:"computing_seconds,omitempty"` // of the computed calls, all together
	LongestSeconds   float64 `json:"longest_seconds,omitempty"`
}

// Open is how many calls have not ended.
func (t Totals) Open() int64 {
	return t.Waiting + t.Awaiting + t.Queued + t.Pending + t.Starting + t.Running
}

// Plus is the sum of two.
func (t Totals) Plus(u Totals) Totals {
	return Totals{
		Calls: t.Calls + u.Calls, Hits: t.Hits + u.Hits, Listed: t.Listed + u.Listed, Computed: t.Computed + u.Computed,
		Awaited: t.Awaited + u.Awaited, Failed: t.Failed + u.Failed, Cancelled: t.Cancelled + u.Cancelled,
		Waiting: t.Waiting + u.Waiting, Awaiting: t.Awaiting + u.Awaiting, Queued: t.Queued + u.Queued,
		Pending: t.Pending + u.Pending, Starting: t.Starting + u.Starting, Running: t.Running + u.Running,
		ComputingSeconds: t.ComputingSeconds + u.ComputingSeconds, LongestSeconds: max(t.LongestSeconds, u.LongestSeconds),
	}
}

// Open is a call that has not ended.
type Open struct {
	Call     int64   `json:"call"`
	Function string  `json:"function"`
	Memo     string  `json:"memo,omitempty"` // as in Call
	Caller   string  `json:"caller,omitempty"`
	Stage    string  `json:"stage"` // waiting, awaiting, queued, pending, starting, running
	Reason   string  `json:"reason,omitempty"`
	Asked    float64 `json:"asked"`
	Started  float64 `json:"started,omitempty"`
	Run      string  `json:"run,omitempty"`
	Executor string  `json:"executor,omitempty"`
	Worker   string  `json:"worker,omitempty"`
	Node     string  `json:"node,omitempty"`
}

// Call is a call that has ended.
type Call struct {
	Call     int64    `json:"call"`             // number in its process, from 1
	Function string   `json:"function"`         // name@version
	Memo     string   `json:"memo,omitempty"`   // mops1/<pipeline>/<name>@<version>/<words>.<key>, or a URI in another root
	Caller   string   `json:"caller,omitempty"` // the same of the calling call; "" for the program
	Joined   []string `json:"joined,omitempty"` // further callers that waited for it: ten at most
	Outcome  string   `json:"outcome"`          // hit, computed, awaited, failed, cancelled
	Result   string   `json:"result,omitempty"` // hash of what the function returned, if the call was computed
	Why      string   `json:"why,omitempty"`    // why there was a result and it was computed again
	Error    string   `json:"error,omitempty"`  // first line

	// Seconds since the run's start. What did not happen is 0.
	Asked    float64 `json:"asked"`
	Queued   float64 `json:"queued,omitempty"`   // a queueing system or a quota held its worker back
	Pending  float64 `json:"pending,omitempty"`  // its worker waited for a place
	Starting float64 `json:"starting,omitempty"` // its worker was being made
	Started  float64 `json:"started,omitempty"`  // its last attempt began to run
	Ended    float64 `json:"ended"`

	// Of the last attempt.
	Run      string    `json:"run,omitempty"` // run id of the call
	Executor string    `json:"executor,omitempty"`
	Spot     bool      `json:"spot,omitempty"`
	Worker   string    `json:"worker,omitempty"`   // pod or host; "" for the run's
	Node     string    `json:"node,omitempty"`     // the machine of a pod
	Attempts []Attempt `json:"attempts,omitempty"` // the earlier ones
	Resources

	Saved *Saved `json:"saved,omitempty"` // of a hit: what its result once took
}

// Attempt is a run of a call that failed and was followed by another.
type Attempt struct {
	Run      string  `json:"run,omitempty"`
	Executor string  `json:"executor,omitempty"`
	Worker   string  `json:"worker,omitempty"`
	Started  float64 `json:"started,omitempty"` // seconds since the run's start
	Ended    float64 `json:"ended,omitempty"`
	Reason   string  `json:"reason,omitempty"` // such as oom
	Error    string  `json:"error,omitempty"`
}

// Resources are what one run of a call took and what was asked for. Unknown is 0.
type Resources struct {
	WallSeconds float64 `json:"wall_seconds,omitempty"`
	CPUSeconds  float64 `json:"cpu_seconds,omitempty"`
	PeakMemory  int64   `json:"peak_memory_bytes,omitempty"`
	CPUs        float64 `json:"cpus,omitempty"`               // asked for
	MemoryLimit int64   `json:"memory_limit_bytes,omitempty"` // asked for
	GPUs        float64 `json:"gpus,omitempty"`               // asked for
}

// ResourcesOf are what a run took, and what its worker asked for.
func ResourcesOf(wall, cpu time.Duration, peakMemory int64, at executor.Place) Resources {
	return Resources{
		WallSeconds: Seconds(wall), CPUSeconds: Seconds(cpu), PeakMemory: peakMemory,
		CPUs: cmp.Or(at.Requests.CPU, at.Limits.CPU), MemoryLimit: cmp.Or(at.Limits.Memory, at.Requests.Memory), GPUs: cmp.Or(at.Requests.GPU, at.Limits.GPU),
	}
}

// Saved is what a result took when it was made.
type Saved struct {
	Executor string `json:"executor,omitempty"`
	Spot     bool   `json:"spot,omitempty"`
	Resources
}

// End says how a run ended.
type End struct {
	End       time.Time `json:"end"`
	Exit      int       `json:"exit"`
	Cancelled bool      `json:"cancelled,omitempty"` // by a signal
	Error     string    `json:"error,omitempty"`     // first line
	State               // of the program's own process, at the end
}

// Merged is what several processes of one run, or several runs, counted.
func Merged(states []State) (all State) {
	at := map[string]int{}
	for _, s := range states {
		all.At = max(all.At, s.At)
		all.Dropped += s.Dropped
		all.Open = append(all.Open, s.Open...)
		if len(s.Fields) > 0 {
			if all.Fields == nil {
				all.Fields = map[string]any{}
			}
			maps.Copy(all.Fields, s.Fields)
		}
		for _, f := range s.Functions {
			i, known := at[f.Name]
			if !known {
				at[f.Name] = len(all.Functions)
				f.Used, f.Saved = slices.Clone(f.Used), slices.Clone(f.Saved)
				all.Functions = append(all.Functions, f)
				continue
			}
			all.Functions[i].add(f)
		}
	}
	return all
}

// Total is the sum over all functions.
func (s State) Total() (total Function) {
	for _, f := range s.Functions {
		total.add(f)
	}
	return total
}

// add counts what another function, or the same one elsewhere, did.
func (f *Function) add(more Function) {
	f.Totals = f.Totals.Plus(more.Totals)
	for _, u := range more.Used {
		f.Used = Add(f.Used, u)
	}
	for _, u := range more.Saved {
		f.Saved = Add(f.Saved, u)
	}
}

// folder is where a run lies below the root.
func folder(id string) string { return Prefix + id + "/" }

func headKey(id string) string { return folder(id) + "head.json" }
func endKey(id string) string  { return folder(id) + "end.json" }

const segmentPrefix, segmentSuffix = "calls-", ".jsonl"

func segmentKey(id, worker string, n int) string {
	if worker != "" {
		worker += "-"
	}
	return folder(id) + segmentPrefix + worker + number(n) + segmentSuffix
}

func number(n int) string { return fmt.Sprintf("%06d", n) }

// segmentOf is the worker of a segment, "" for the program itself.
func segmentOf(key string) (worker string, ok bool) {
	name := key[strings.LastIndexByte(key, '/')+1:]
	name, begins := strings.CutPrefix(name, segmentPrefix)
	name, ends := strings.CutSuffix(name, segmentSuffix)
	if !begins || !ends || name == "" {
		return "", false
	}
	i := strings.LastIndexByte(name, '-')
	return name[:max(i, 0)], true
}

// numberOf is the number of a segment, as its name has it.
func numberOf(key string) string {
	return strings.TrimSuffix(key[strings.LastIndexByte(key, '-')+1:], segmentSuffix)
}
