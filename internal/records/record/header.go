package record

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Codec is the name of the encoding of bodies and inputs.
const Codec = "cbor1"

// Head opens the header of every record of a call. Its fields come first, in
// this order: Check, HasSchema and OriginOf rely on it.
type Head struct {
	MemoKey string `json:"memo_key"`
	RunID   string `json:"run_id"`
	Origin

	// Schema describes the parts of the types that the fingerprints in Call leave
	// out; see package schema. Records of the first release don't have it.
	Schema json.RawMessage `json:"schema,omitempty"`
}

// Origin says what made a record: a function of a program, by its code. What is
// not known is left out; in records of the first release all of it is.
type Origin struct {
	Code string `json:"code,omitempty"` // hash of the function's fingerprint

	// Callees is the code of the functions that it calls through mops, at any depth,
	// as far as that is known: name@version=hash, sorted, with spaces between.
	Callees string `json:"callees,omitempty"`

	Func string `json:"func,omitempty"` // such as example.com/forecast.train
}

// Call says which call a record belongs to, in words that people understand.
type Call struct {
	Function string   `json:"function"` // registered name
	Version  string   `json:"version"`
	Pipeline string   `json:"pipeline"`
	Codec    string   `json:"codec"`           // see the constant Codec
	Calls    []string `json:"calls,omitempty"` // name@version of every function it calls, sorted
	In       string   `json:"in"`              // type fingerprint
	Out      string   `json:"out"`             // type fingerprint
}

// Run is the record of one execution.
type Run struct {
	LeaseID     string      `json:"lease_id,omitempty"`
	Attempt     int         `json:"attempt,omitempty"` // 1 for the first under its lease
	Outcome     runs.Ending `json:"outcome,omitempty"`
	Reason      runs.Reason `json:"reason,omitempty"`
	Error       string      `json:"error,omitempty"`  // of a failure: a line or two
	Started     time.Time   `json:"started,omitzero"` // RFC 3339, by the clock of Host
	Ended       time.Time   `json:"ended,omitzero"`
	WallSeconds float64     `json:"wall_seconds"`
	CPUSeconds  float64     `json:"cpu_seconds,omitempty"`        // user and system; 0 if unknown
	PeakMemory  int64       `json:"peak_memory_bytes,omitempty"`  // 0 if unknown
	MemoryLimit int64       `json:"memory_limit_bytes,omitempty"` // that its worker was started with; 0 if none
	MemoryFrom  string      `json:"memory_from,omitempty"`        // where that number comes from, for people
	Host        string      `json:"host,omitempty"`
	User        string      `json:"user,omitempty"`
	PID         int         `json:"pid,omitempty"`
	Executor    string      `json:"executor,omitempty"`

	// What its worker asked for; 0 if nothing, or if the record is older than that.
	CPUs          float64 `json:"cpus,omitempty"`
	MemoryRequest int64   `json:"memory_request_bytes,omitempty"`
	GPUs          float64 `json:"gpus,omitempty"` // a part of one where calls share it
	Spot          bool    `json:"spot,omitempty"` // on capacity that is cheaper and may be taken away

	OS      string         `json:"os,omitempty"`
	Arch    string         `json:"arch,omitempty"`
	Program Program        `json:"program,omitzero"`
	Fields  map[string]any `json:"fields,omitempty"`  // the user's own
	Modules []string       `json:"modules,omitempty"` // path@version; of long runs only

	// These say what the run has to do with other calls. A call is named by its memo
	// path if it is in the same root, else by its memo URI. Records of the first
	// release have none of them, and callers are those of the run, not of later hits.
	Caller     string   `json:"caller,omitempty"`      // the call whose function made this one
	ProgramRun string   `json:"program_run,omitempty"` // id of the run of the program that wanted it
	Made       []string `json:"made,omitempty"`        // the calls that its function made, hits too: the first MostMade
	MoreMade   int      `json:"more_made,omitempty"`   // how many more it made
}

// MostMade is how many of the calls that its function made a run lists: more
// would make hits on its result slower.
const MostMade = 100

// Of adds the identity of the run.
func (r Run) Of(is runs.ID) Run {
	r.LeaseID, r.Attempt, r.Executor, r.ProgramRun = is.LeaseID, is.Attempt, is.Executor, is.ProgramRun
	return r
}

// On adds what its worker has.
func (r Run) On(p executor.Place) Run {
	r.CPUs, r.GPUs = cmp.Or(p.Requests.CPU, p.Limits.CPU), cmp.Or(p.Requests.GPU, p.Limits.GPU)
	r.MemoryRequest, r.MemoryLimit, r.Spot = p.Requests.Memory, p.Limits.Memory, p.Spot
	return r
}

// SourceLocation says where the bytes of a source of an input or output lie.
// Lists of them are in order of appearance.
type SourceLocation struct {
	Hash     string `json:"hash"`
	Kind     string `json:"kind,omitempty"`
	Size     int64  `json:"size"`               // bytes
	Location string `json:"location,omitempty"` // relative to the root, or a URI

	// From names the call from whose result it was read, as Run names calls; "" if it
	// was not, or nobody knows.
	From string `json:"from,omitempty"`
}

// SamePlace reports whether both say the same of where the bytes are.
func (l SourceLocation) SamePlace(other SourceLocation) bool {
	l.From, other.From = "", ""
	return l == other
}

// RunHeader says what a record tells of a run. By itself it is the content of
// runs/<run id>.json, as plain JSON without line 1: of a run that left neither
// result nor error.
type RunHeader struct {
	Head
	Call
	Run Run `json:"run,omitzero"`
}

// ResultHeader is the header of a result; the body is the output.
type ResultHeader struct {
	RunHeader
	Sources  []SourceLocation `json:"sources,omitempty"`
	Injected bool             `json:"injected,omitempty"` // a person put it there; nothing computed it
}

// InvocationHeader is the header of an invocation; the body is the canonical input.
type InvocationHeader struct {
	Head
	Call
	LeaseID    string           `json:"lease_id,omitempty"`
	Caller     string           `json:"caller,omitempty"`      // as in Run
	ProgramRun string           `json:"program_run,omitempty"` // as in Run
	Program    Program          `json:"program,omitzero"`      // the caller's
	Sources    []SourceLocation `json:"sources,omitempty"`

	// Types describes the whole types, for people; see package schema. It is left out
	// where it would be long.
	Types json.RawMessage `json:"types,omitempty"`
}

// ErrorHeader is the header of an error; the body is a FuncError.
type ErrorHeader struct {
	RunHeader
	Message string `json:"message"`
}
