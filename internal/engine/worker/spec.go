package worker

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Variable is the environment variable that tells a process that it is a
// worker, and of which run.
const Variable = "MOPS_WORKER"

// Terms are the settings of a call that its run heeds, wherever it runs.
type Terms struct {
	Pipeline   string        `json:"pipeline"`
	Timeout    time.Duration `json:"timeout,omitzero"`     // of one run, in nanoseconds; 0 means none
	StorageTTL time.Duration `json:"storage_ttl,omitzero"` // of the store; 0 if it removes nothing by itself
	CodeCheck  code.Policy   `json:"code_check,omitempty"`
}

// Assignment is what an orchestrator says of a run, wherever it runs: a field
// that is added here reaches the task by the spec as well as in process.
type Assignment struct {
	runs.ID
	Caller string `json:"caller,omitempty"` // the call whose function made this one; see record.Run
	Terms
	Chain   Chain         `json:"chain,omitempty"`   // the call and those that wait for it
	Replace blob.Version  `json:"replace,omitempty"` // write the result over this version; "" means only if there is none
	Fields  Fields        `json:"fields,omitempty"`  // the user's own of the program's run, for the record of this run, too
	AtStake time.Duration `json:"at_stake,omitzero"` // how long the runs that wait for this run have gone on, in nanoseconds
}

// Fields are a user's own, encoded.
type Fields map[string]json.RawMessage

// Values are the fields as records and runs hold them.
func (f Fields) Values() map[string]any {
	if len(f) == 0 {
		return nil
	}
	all := make(map[string]any, len(f))
	for key, value := range f {
		all[key] = value
	}
	return all
}

// Surroundings are what an environment hands on to those of its workers, and
// they to theirs, so that nested calls are made under the same settings.
type Surroundings struct {
	Config   string          `json:"config,omitempty"`   // path of the config file
	Isolated bool            `json:"isolated,omitempty"` // no config file, no variables
	Defaults config.Settings `json:"defaults,omitzero"`  // of the environment
	Forced   config.Settings `json:"forced,omitzero"`    // by its options

	// These are for workers that see neither our files nor our variables.
	ConfigText string           `json:"config_text,omitempty"`
	Environ    config.Settings  `json:"environ,omitzero"`
	Executors  config.Executors `json:"executors,omitempty"` // of variables

	// Since is when the environment at the top of a tree of workers began, by the
	// store's clock. For its workers, a younger result counts as refreshed;
	// otherwise each worker would refresh anew what all of them call. Zero at the
	// top.
	Since time.Time `json:"since,omitzero"`

	// RunRoot opens the root in which the run of the program is kept, to which the
	// calls of workers belong; "" if it is not kept.
	RunRoot string `json:"run_root,omitempty"`

	Edited map[string]function.Edited `json:"edited,omitempty"` // functions that differ from their locks

	Tree *Tree `json:"tree,omitempty"` // a worker's slots; nil at the top
}

// Key is the same for the surroundings of two workers if their calls can share an
// environment. They have slots of their own.
func (s Surroundings) Key() (string, error) {
	if s.Tree != nil {
		s.Tree = &Tree{Path: s.Tree.Path, Name: s.Tree.Name, Size: s.Tree.Size}
	}
	text, err := json.Marshal(s)
	return string(text), err
}

// Spec is what a worker process is told, beyond what lies in the store. It
// holds no secrets: a worker has credentials of its own.
type Spec struct {
	Assignment
	Surroundings
	Root         string          `json:"root"`
	Path         string          `json:"path"` // of the call, below the root
	Function     string          `json:"function"`
	Origin       record.Origin   `json:"origin,omitzero"`      // of the caller's function
	SameCode     []string        `json:"same_code,omitempty"`  // what the caller's lock declares equal to that
	Schema       string          `json:"schema,omitempty"`     // Function.SchemaHash of the caller's; "" from older callers
	LeaseVersion blob.Version    `json:"lease_version"`        // which the worker swaps into its session
	Orchestrator string          `json:"orchestrator"`         // the session that waits for the worker
	Handle       string          `json:"handle,omitempty"`     // of this worker; "" means its process identity
	Context      config.Settings `json:"context,omitzero"`     // of the caller's context
	Supervised   bool            `json:"supervised,omitempty"` // the worker keeps its own log; see Supervise
	Container    *Container      `json:"container,omitempty"`  // that of the worker alone; set by Supervise

	Carried map[string]string `json:"carried,omitempty"` // of the context in which the run was started

	Packed bool  `json:"packed,omitempty"` // the call is in a pack, whose workers may all come to it
	Side   int   `json:"side,omitempty"`   // how many calls of that a worker computes side by side
	Pack   *Pack `json:"pack,omitempty"`   // this worker works through a pack, and Path is empty

	// Verify is the path of a file for the record of what the function returns
	// this time. If set, the run takes no lease and stores nothing.
	Verify string `json:"verify,omitempty"`

	// Replay is set if a person looks on, perhaps in a debugger. Verify is then set,
	// too: a program of an older release takes that.
	Replay *Replay `json:"replay,omitempty"`

	// Codes is the path of a file for the code of each function, a list of
	// FunctionCode. If set, the worker writes that and runs nothing.
	Codes string `json:"codes,omitempty"`
}

// Pack is the pack that a worker works through.
type Pack struct {
	ID   string `json:"id"`
	Side int    `json:"side"` // how many calls it computes side by side
}

// Encode writes the spec for the environment.
func (s Spec) Encode() (string, error) {
	text, err := json.Marshal(s)
	return string(text), err
}

// TakeSpec reads the spec of this process and removes it from the environment,
// so that a child of the user's function is no worker. If there is none, ok is
// false.
func TakeSpec() (spec Spec, ok bool, err error) {
	text, ok := os.LookupEnv(Variable)
	if !ok {
		return Spec{}, false, nil
	}
	if err := os.Unsetenv(Variable); err != nil {
		return Spec{}, true, err
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return Spec{}, true, fmt.Errorf("%s is set and does not hold what an orchestrator writes there: unset it: %w", Variable, err)
	}
	return spec, true, nil
}
