package worker

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// FunctionCode says by which code a program computes a function.
type FunctionCode struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Origin  record.Origin     `json:"origin,omitzero"`
	Code    *code.Fingerprint `json:"code,omitempty"` // nil if it is not known
	Same    []code.Same       `json:"same,omitempty"` // declared equal to it
}

// codeOf is by which code this program computes a function, after Prepare.
func codeOf(f *function.Function) FunctionCode {
	is, same := f.Code()
	return FunctionCode{Name: f.Name, Version: f.Version, Origin: f.Origin(), Code: is, Same: same}
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
		all = append(all, codeOf(f))
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
