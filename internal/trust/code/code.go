// Package code holds what is known of a function's code: its fingerprint, how
// two fingerprints differ, and the lock of a package, which states the
// fingerprints of the functions that the package defines. Programs have it, so
// it reads no sources: package fingerprint does, above it.
package code

import (
	"fmt"
	"strings"
)

// Fingerprint says by which code a function computes.
type Fingerprint struct {
	Hash    string   `json:"hash"`              // equal where the code is the same
	Go      string   `json:"go"`                // such as go1.26
	Package string   `json:"package"`           // the function's
	Varies  bool     `json:"varies,omitempty"`  // it is in files that some builds leave out: see fingerprint
	Callees []Callee `json:"callees,omitempty"` // functions of mops that it refers to
	Decls   []Decl   `json:"decls"`             // what counts, by name and kind
	Notes   []Note   `json:"notes,omitempty"`   // where it was not possible to follow
}

// Short is enough of a fingerprint's hash to tell it from others.
func Short(hash string) string {
	const enough = 12
	return hash[:min(len(hash), enough)]
}

// Kind is a kind of declaration.
type Kind string

// The kinds of declarations.
const (
	Func   Kind = "func"
	Method Kind = "method"
	Var    Kind = "var"
	Const  Kind = "const"
	Type   Kind = "type"
	Alias  Kind = "alias"
	Init   Kind = "init"
	Import Kind = "import" // for what it does, not for a name
	File   Kind = "file"   // embedded, assembly, C
	Module Kind = "module" // with a version
	Go     Kind = "go"
	Order  Kind = "order" // in which several change a variable before main
)

// Decl is something that counts. Constants and aliases are listed, too, although
// they count only by what they stand for.
type Decl struct {
	Kind    Kind   `json:"kind"`
	Name    string `json:"name"`              // with the path of the package
	File    string `json:"file,omitempty"`    // in the function's module, or by its import path
	Line    int    `json:"line,omitempty"`    //
	Version string `json:"version,omitempty"` // of a module or of Go
	Hash    string `json:"hash"`
}

// Callee is a function of mops that code refers to. It is named, not followed:
// its code has a fingerprint of its own.
type Callee struct {
	Name string `json:"name,omitempty"` // in mops, if that is a constant
	Var  string `json:"var,omitempty"`  // the variable, with the path of its package
}

// Note says where a fingerprint cannot follow, and what it does instead.
type Note struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func (n Note) String() string {
	switch {
	case n.File == "":
		return n.Text
	case n.Line == 0:
		return n.File + ": " + n.Text
	}
	return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text)
}

// GoMinor is a version of Go without its last number: go1.26 for go1.26.8. A
// version that is no release counts as a whole.
func GoMinor(version string) string {
	version, _, _ = strings.Cut(version, " ")
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 3 || strings.HasPrefix(version, "devel") {
		return version
	}
	return parts[0] + "." + parts[1]
}
