// Package mopspure is an analyser, for go vet and golangci-lint, that finds what
// makes functions of mops impure: clock, chance, environment, variables that
// change, files and networks that are no sources, and functions of mops that a
// definition does not name in Calls. Command mops-pure runs it; mops-lock --check
// gives the same findings.
//
// Nothing else imports it, so a program that uses mops does not download what
// analysers need.
package mopspure

import (
	"fmt"
	"go/ast"
	"maps"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
	"github.com/TrilliantHealth/mops-go/internal/trust/purity"
)

// Analyzer looks at the functions that a package defines by mops.Define and
// Implement, and at all that they call in packages of the same module, of its
// workspace, and of modules that folders replace. A comment //mops:pure REASON
// accepts what is on its line, in its declaration or in its file.
var Analyzer = &analysis.Analyzer{
	Name:      "mopspure",
	Doc:       "find what makes functions of mops impure\n\nThe result of such a function may depend on its input only. A comment\n//mops:pure REASON accepts what is on its line, in its declaration or in its\nfile.",
	URL:       "https://pkg.go.dev/github.com/TrilliantHealth/mops-go/mopspure",
	Run:       run,
	FactTypes: []analysis.Fact{new(summaries)},
}

// summaries are what was read of a package and of all own ones that it imports:
// drivers hand facts about packages to direct importers only.
type summaries struct {
	Encoded map[string][]byte // by path
}

// AFact makes summaries a fact.
func (*summaries) AFact() {}

func (s *summaries) String() string { return fmt.Sprintf("%d packages were read", len(s.Encoded)) }

func run(pass *analysis.Pass) (any, error) {
	var syntax []*ast.File
	for _, f := range pass.Files {
		if !strings.HasSuffix(pass.Fset.File(f.FileStart).Name(), "_test.go") {
			syntax = append(syntax, f)
		}
	}
	if len(syntax) == 0 || pass.Module == nil || !purity.IsOwn(pass.Module.Path, pass.Pkg.Path(), pass.Fset.File(syntax[0].FileStart).Name()) {
		return nil, nil
	}
	known, usesMops := map[string][]byte{}, false
	for _, imported := range pass.Pkg.Imports() {
		usesMops = usesMops || fingerprint.IsMops(imported)
		var s summaries
		if pass.ImportPackageFact(imported, &s) {
			maps.Copy(known, s.Encoded)
		}
	}
	source := fingerprint.NewChecked(pass.Module.Path, pass.Fset, syntax, pass.Pkg, pass.TypesInfo)
	data, err := purity.Read(source, func(path string) bool { return known[path] != nil }).Encode()
	if err != nil {
		return nil, err
	}
	known[source.Path] = data
	pass.ExportPackageFact(&summaries{known})
	if !usesMops {
		return nil, nil
	}
	findings, err := purity.CheckPackage(source, known)
	for _, f := range findings {
		pass.Reportf(f.Pos(source), "%s", f)
	}
	return nil, err
}
