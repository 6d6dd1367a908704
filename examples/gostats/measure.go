package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go"
)

// top is how many functions of a package are kept, and how long the lists of
// the report are.
const top = 8

// Package is what measure finds. Lines, functions and so on are those of all
// files, whatever system they are for, but of tests only where it says so.
type Package struct {
	Path       string
	Files      int
	Lines      Lines
	Functions  int // with methods
	Types      int
	Exported   int // names: also methods of exported types
	Documented int // exported names with a comment
	Complexity int // of all functions
	Generated  int // lines of files that say that a program wrote them
	Imports    []string
	Longest    []Function // most lines first; not those that were generated
	Branchiest []Function // most complex first; not those that were generated

	TestFiles int
	TestLines Lines
	Tests     int // Test, Benchmark, Fuzz and Example functions
}

// Lines of files, by what is on them. A line with code and a comment is code.
type Lines struct{ All, Code, Comments int }

func (l Lines) plus(other Lines) Lines {
	return Lines{l.All + other.All, l.Code + other.Code, l.Comments + other.Comments}
}

// Function is one function or method.
type Function struct {
	Name       string // import path and name
	Place      string // file:line
	Lines      int
	Complexity int // 1, and 1 for each branch; McCabe, 1976
}

func measure(ctx context.Context, in Folder) (Package, error) {
	m := measuring{Package: Package{Path: in.Path}, files: token.NewFileSet(), exported: map[string]bool{}, imports: map[string]bool{}}
	for _, file := range in.Files {
		text, err := read(ctx, file.Content)
		if err != nil {
			return Package{}, fmt.Errorf("%s: %w", file.Name, err)
		}
		if err := m.file(file.Name, text); err != nil {
			return Package{}, fmt.Errorf("%s is not Go: %w", in.Path, err)
		}
	}
	return m.result(), nil
}

func read(ctx context.Context, source mops.Source) ([]byte, error) {
	file, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// measuring is a package while its files are read.
type measuring struct {
	Package
	files    *token.FileSet
	exported map[string]bool // name: is it documented
	imports  map[string]bool
	written  []Function // by people
}

func (m *measuring) file(name string, text []byte) error {
	parsed, err := parser.ParseFile(m.files, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	lines := countLines(text)
	switch {
	case isIgnored(parsed):
		// A program that generates something, kept beside the package.
	case strings.HasSuffix(name, "_test.go"):
		m.TestFiles++
		m.TestLines = m.TestLines.plus(lines)
		m.Tests += countTests(parsed)
	default:
		m.Files++
		m.Lines = m.Lines.plus(lines)
		if ast.IsGenerated(parsed) {
			m.Generated += lines.All
		}
		m.declarations(parsed)
	}
	return nil
}

// isIgnored reports whether a file says that it belongs to no build.
func isIgnored(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if comment.Pos() < file.Package && comment.Text == "//go:build ignore" {
				return true
			}
		}
	}
	return false
}

func countTests(file *ast.File) (n int) {
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Recv != nil {
			continue
		}
		for _, kind := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
			if strings.HasPrefix(f.Name.Name, kind) && f.Name.Name != "TestMain" {
				n++
			}
		}
	}
	return n
}

func (m *measuring) declarations(file *ast.File) {
	generated := ast.IsGenerated(file)
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			m.function(d, generated)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				m.spec(d, spec)
			}
		}
	}
}

func (m *measuring) spec(group *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ImportSpec:
		m.imports[strings.Trim(s.Path.Value, "`\"")] = true
	case *ast.TypeSpec:
		m.Types++
		m.export(s.Name.Name, group.Doc, s.Doc, s.Comment)
	case *ast.ValueSpec:
		for _, name := range s.Names {
			m.export(name.Name, group.Doc, s.Doc, s.Comment)
		}
	}
}

// export notes a name if it is exported. Files for different systems often
// declare the same one.
func (m *measuring) export(name string, comments ...*ast.CommentGroup) {
	for part := range strings.SplitSeq(name, ".") {
		if !ast.IsExported(part) {
			return
		}
	}
	documented := slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil })
	m.exported[name] = m.exported[name] || documented
}

func (m *measuring) function(f *ast.FuncDecl, generated bool) {
	name := f.Name.Name
	if f.Recv != nil && len(f.Recv.List) > 0 {
		name = receiver(f.Recv.List[0].Type) + "." + name
	}
	m.export(name, f.Doc)
	paths := complexity(f)
	m.Functions++
	m.Complexity += paths
	if !generated {
		begin, end := m.files.Position(f.Pos()), m.files.Position(f.End())
		m.written = append(m.written, Function{
			Name:  m.Path + "." + name,
			Place: fmt.Sprintf("%s:%d", begin.Filename, begin.Line),
			Lines: end.Line - begin.Line + 1, Complexity: paths,
		})
	}
}

// receiver is the name of a method's type, without its star and parameters.
func receiver(typ ast.Expr) string {
	name, _, _ := strings.Cut(strings.Trim(types.ExprString(typ), "*()"), "[")
	return name
}

func (m *measuring) result() Package {
	m.Longest = longest(m.written)
	m.Branchiest = branchiest(m.written)
	m.Imports = slices.Sorted(maps.Keys(m.imports))
	m.Exported = len(m.exported)
	for _, documented := range m.exported {
		if documented {
			m.Documented++
		}
	}
	return m.Package
}
