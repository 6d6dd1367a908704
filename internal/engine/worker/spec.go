package worker

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Variable is the environment variable that tells a process that it is a
// worker, and of which run.
const Variable = "MOPS_WORKER"

// Spec is what a worker process is told, beyond what lies in the store. It
// holds no secrets: a worker has credentials of its own.
type Spec struct {
	runs.ID
	Root         string          `json:"root"`
	Path         string          `json:"path"` // of the call, below the root
	Function     string          `json:"function"`
	Pipeline     string          `json:"pipeline"`
	Schema       string          `json:"schema,omitempty"` // Function.SchemaHash of the caller's; "" from older callers
	LeaseVersion string          `json:"lease_version"`    // which the worker swaps into its session
	Orchestrator string          `json:"orchestrator"`     // the session that waits for the worker
	Handle       string          `json:"handle,omitempty"` // of this worker; "" means its process identity
	Timeout      time.Duration   `json:"timeout,omitzero"` // of the run, in nanoseconds
	StorageTTL   time.Duration   `json:"storage_ttl,omitzero"`
	AtStake      time.Duration   `json:"at_stake,omitzero"` // how long the runs that wait for this run have gone on, in nanoseconds
	Replace      string          `json:"replace,omitempty"` // version of the result to replace
	Chain        []string        `json:"chain,omitempty"`
	Config       string          `json:"config,omitempty"`      // path of the caller's config file
	ConfigText   string          `json:"config_text,omitempty"` // its text, for a worker elsewhere
	Isolated     bool            `json:"isolated,omitempty"`    // no config file, no variables
	Defaults     config.Settings `json:"defaults,omitzero"`     // of the caller's environment
	Context      config.Settings `json:"context,omitzero"`      // of the caller's context
	Environ      config.Settings `json:"environ,omitzero"`      // of the caller's variables, for a worker elsewhere
	Since        time.Time       `json:"since,omitzero"`        // when that environment began, by the store's clock
	Tree         *Tree           `json:"tree,omitempty"`
	Supervised   bool            `json:"supervised,omitempty"` // the worker keeps its own log; see Supervise

	// Verify is the path of a file for the record of what the function returns
	// this time. If set, the run takes no lease and stores nothing.
	Verify string `json:"verify,omitempty"`
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
