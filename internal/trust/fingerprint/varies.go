package fingerprint

import (
	"go/ast"
	"go/build"
	"go/build/constraint"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// varies says that something that counts is in a file that some builds leave out:
// with other build tags, for another platform, or without cgo, the function may be
// another. Then its lock holds for builds like the one that was looked at.
func (r *reach) varies() bool {
	for _, d := range slices.Concat(slices.Collect(maps.Keys(r.counted)), slices.Collect(maps.Keys(r.listed))) {
		if d.file == nil {
			continue
		}
		left, known := r.program.leftOut[d.file]
		if !known {
			left = d.pkg.constrained(r.program, d.file)
			r.program.leftOut[d.file] = left
		}
		if left {
			return true
		}
	}
	return false
}

// constrained says that some builds leave a file out. The version of Go is no
// matter: locks name it.
func (p *pkg) constrained(program *Program, file *ast.File) bool {
	for _, each := range file.Imports {
		if each.Path.Value == `"C"` {
			return true
		}
	}
	for _, group := range file.Comments {
		if group.Pos() > file.Package {
			break
		}
		for _, comment := range group.List {
			if expression, err := constraint.Parse(comment.Text); err == nil && constraint.IsGoBuild(comment.Text) && !onlyVersions(expression) {
				return true
			}
		}
	}
	// A platform that no file is for: names such as read_linux.go.
	elsewhere := build.Context{GOOS: "nowhere", GOARCH: "nothing", Compiler: "gc", CgoEnabled: true, ReleaseTags: build.Default.ReleaseTags}
	path := program.files.PositionFor(file.Package, false).Filename
	matches, err := elsewhere.MatchFile(p.Dir, filepath.Base(path))
	return err == nil && !matches && !strings.HasSuffix(path, "_test.go")
}

var goVersion = regexp.MustCompile(`^go1\.\d+$`)

func onlyVersions(e constraint.Expr) bool {
	only := true
	e.Eval(func(tag string) bool {
		only = only && goVersion.MatchString(tag)
		return false // so that both sides of an or are asked for
	})
	return only
}
