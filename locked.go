package mops

import (
	"runtime"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Locked states by which code the functions of a package compute, so that
// results of other code are noticed. Only mops_lock.go calls it, a file that the
// command mops-lock writes into each package that defines functions; see "Did my
// code change?" in the documentation.
func Locked(text string, options ...RegistryOption) {
	_, file, _, _ := runtime.Caller(1)
	registryOf(options).Locks.State(text, file)
}

// CheckPolicy says what becomes of a result that other code computed.
type CheckPolicy string

// The policies of [CodeCheck].
const (
	Warn      = CheckPolicy(code.Warn)      // use it; one warning for each function says how many, and what changed
	Recompute = CheckPolicy(code.Recompute) // compute the call again, and replace it
	Refuse    = CheckPolicy(code.Refuse)    // the call fails with an error that is ErrOtherCode
	Unchecked = CheckPolicy(code.Off)       // use it
)

// CodeCheck says what becomes of a result that other code computed than that of
// this program: other by the fingerprints that mops-lock writes, and neither
// equal nor declared to be. If a fingerprint is not known, functions of
// different packages or names count as other code. Results of mops 0.1, which
// tell neither, pass. So do results at an old home of the function; see
// [ReadFrom]. Default: [Warn].
func CodeCheck(policy CheckPolicy) Option {
	p := code.Policy(policy)
	return option(func(s *settings) { s.CodeCheck = &p })
}
