// Package lockfile keeps the locks of packages in step with their code: it looks
// at the functions of mops that packages define, compares them with what each
// package's mops_lock.go says, and reports or writes. It stands on fingerprint,
// which reads the code; the command mops-lock and mopstest stand above it.
//
// # What a lock is for
//
// Results are kept under a function's name and version. A lock says by which code
// a function of that version computes. If the code changes, the package refuses to
// write the lock anew: a person sets another version, or declares that the code
// computes the same. Nobody but a person can tell.
//
// # In which order to read
//
// look.go finds the functions and what locks them; decide.go compares, one
// function at a time, and has the rules; report.go says what there is to say;
// write.go writes. file.go reads a mops_lock.go, also one in which a merge left
// conflicts. remember.go makes an end early if nothing was edited.
package lockfile

import (
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// Config says what to look at.
type Config struct {
	Dir      string           // where patterns begin; default: the current folder
	Patterns []string         // of packages, as the go command has them; default: ./...
	Platform string           // default: fingerprint.DefaultPlatform
	Tags     []string         // default: those of GOFLAGS
	CacheDir string           // for snapshots; without, there are none
	Now      func() time.Time // default: time.Now
}

// Result is how code and locks stand to each other.
type Result struct {
	Packages []*Package
	Errs     []error // packages that could not be looked at

	config Config
	only   map[string]bool // functions to write; nil: all
	memory *memory         // of an exact look
}

// Package is a package that defines functions of mops, or has a lock.
type Package struct {
	Path, Dir string
	Functions []*Function

	listed fingerprint.Package
	lock   onDisk
	gone   []*code.Locked // locked, and not defined any more
	kept   []*code.Locked // locked, and defined in files that build constraints leave out
}

// Function is a function that a package defines.
type Function struct {
	Name, Version, Package string
	File                   string // where it is defined: a path in its module
	Line                   int
	Code                   *code.Fingerprint // nil if it cannot be followed
	Missing                []string          // functions of mops that it calls, and that its Calls does not name
	Impure                 []string          // what its result depends on beside its input: see package purity
	Err                    error             // why it cannot be followed

	status
}

// Ok says that there is nothing to do.
func (r *Result) Ok() bool { return len(r.Problems())+len(r.Errs) == 0 }
