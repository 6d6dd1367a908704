package main

import (
	"encoding/json"
	"io"

	"github.com/TrilliantHealth/mops-go/internal/trust/lockfile"
)

// report is what --check --json prints.
type report struct {
	OK        bool             `json:"ok"`
	Functions []reportFunction `json:"functions"`
	Problems  []string         `json:"problems"` // the lines of --check
	Errors    []string         `json:"errors"`   // packages that could not be looked at
}

type reportFunction struct {
	Name          string   `json:"name"` // "" if it is known only at run time
	Version       string   `json:"version"`
	Package       string   `json:"package"`
	Dir           string   `json:"dir"`
	File          string   `json:"file"` // where it is defined: a path in its module
	Line          int      `json:"line"`
	Hash          string   `json:"hash"`           // of its code; "" if that cannot be followed
	Locked        string   `json:"locked"`         // the hash in the lock, or ""
	LockedVersion string   `json:"locked_version"` // the version in the lock, or ""
	Accepted      bool     `json:"accepted"`       // the lock has the hash, or accepts it
	Changes       []string `json:"changes"`        // since it was locked
	Missing       []string `json:"missing"`        // what it calls and Calls does not name
	Impure        []string `json:"impure"`         // what its result depends on beside its input
	Error         string   `json:"error"`          // why its code cannot be followed
}

func (r report) write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

func newReport(r *lockfile.Result) report {
	rep := report{OK: r.Ok(), Functions: []reportFunction{}, Problems: r.Problems(), Errors: []string{}}
	if rep.Problems == nil {
		rep.Problems = []string{}
	}
	for _, err := range r.Errs {
		rep.Errors = append(rep.Errors, err.Error())
	}
	for _, p := range r.Packages {
		for _, f := range p.Functions {
			each := reportFunction{
				Name: f.Name, Version: f.Version, Package: f.Package, Dir: p.Dir, File: f.File, Line: f.Line,
				Accepted: f.Accepted(), Changes: append([]string{}, f.Changes()...), Missing: append([]string{}, f.Missing...),
				Impure: append([]string{}, f.Impure...),
			}
			if f.Code != nil {
				each.Hash = f.Code.Hash
			}
			if f.Err != nil {
				each.Error = f.Err.Error()
			}
			if locked := f.Locked(); locked != nil {
				each.Locked, each.LockedVersion = locked.Hash, locked.Version
			}
			rep.Functions = append(rep.Functions, each)
		}
	}
	return rep
}
