package worker

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// FunctionCode says by which code a program computes a function.
type FunctionCode struct {
	Name    string        `json:"name"`
	Version string        `json:"version"`
	Origin  record.Origin `json:"origin,omitzero"`
	Lock    *code.Locked  `json:"lock,omitempty"`
}

// codes writes by which code this program computes the functions that it
// implements, into the file that the spec names.
func (p Process) codes() int {
	all := []FunctionCode{}
	for _, f := range p.Registry.All() {
		if !f.Implemented() {
			continue
		}
		if err := f.Prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "mops worker:", err)
			return executor.ExitFailed
		}
		own := FunctionCode{Name: f.Name, Version: f.Version, Origin: f.Origin()}
		if lock := f.Lock(); lock != nil {
			own.Lock = &lock.Locked
		}
		all = append(all, own)
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(p.Spec.Codes, text, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mops worker:", err)
		return executor.ExitFailed
	}
	return executor.ExitOK
}
