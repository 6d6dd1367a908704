package inherit

import "time"

// Report is what a process that stays says at the end of a call.
type Report struct {
	Code       int           `json:"code"`        // of the call
	CPU        time.Duration `json:"cpu"`         // user and system, of all its calls so far
	PeakMemory int64         `json:"peak_memory"` // of this call, in bytes
	Stays      bool          `json:"stays"`       // false: the process ends now
}

// Order is what it is told of its next call.
type Order struct {
	Set   []string `json:"set"`             // variables, written "KEY=value"
	Unset []string `json:"unset,omitempty"` // names
}
