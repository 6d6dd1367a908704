package fingerprint

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// checked is what checking finds out about a package.
type checked struct {
	syntax   []*ast.File
	types    *types.Package
	info     *types.Info
	err      error // why it does not compile
	decls    []*decl
	startup  []*decl // see actions
	linkname linknames
}

// checker gives packages their types.
type checker struct {
	program  *Program
	exports  map[string]string // files with what the compiler exports of a package
	exported types.Importer
	sizes    types.Sizes
	bytes    int64 // of source so far
}

func newChecker(p *Program) *checker {
	_, architecture, _ := strings.Cut(p.config.Platform, "/")
	c := &checker{program: p, exports: map[string]string{}, sizes: types.SizesFor("gc", architecture)}
	c.exported = importer.ForCompiler(p.files, "gc", func(path string) (io.ReadCloser, error) {
		file := c.exports[path]
		if file == "" {
			return nil, fmt.Errorf("the go command exports nothing of %s", path)
		}
		return os.Open(file)
	})
	return c
}

// need parses and checks packages, and whatever they import. It fails if one of
// them cannot be read, not if it does not compile: that is the package's err.
func (c *checker) need(ctx context.Context, packages ...*pkg) error {
	var sources []*pkg // each behind those that it imports
	for _, p := range packages {
		for _, each := range p.closure() {
			if each.source && each.checked == nil && !slices.Contains(sources, each) {
				sources = append(sources, each)
			}
		}
	}
	if len(sources) == 0 {
		return nil
	}
	if err := c.measure(sources); err != nil {
		return err
	}
	if err := c.compile(ctx, sources); err != nil {
		return err
	}
	err := c.parse(ctx, sources)
	for _, p := range sources {
		if err = errors.Join(err, context.Cause(ctx)); err != nil {
			p.checked = nil // another time
			continue
		}
		c.check(p)
	}
	return err
}

// measure holds memory down: there is no other way to bound it than not to begin.
func (c *checker) measure(sources []*pkg) error {
	sum := c.bytes
	for _, p := range sources {
		for _, name := range p.parsed() {
			info, err := os.Stat(filepath.Join(p.Dir, name))
			if err != nil {
				return err
			}
			sum += info.Size()
		}
	}
	if sum > c.program.config.MaxSource {
		return fmt.Errorf("%d bytes of source are more than %d: name fewer packages, or allow more", sum, c.program.config.MaxSource)
	}
	c.bytes = sum
	return nil
}

// compile has the go command compile what sources import of packages whose
// source does not matter. It does so as the machine builds programs, so that most
// is compiled already; what that cannot compile, for it has no C compiler, needs
// none. The types are the same: a package with C is checked from source, unless
// it is of the standard library, which shows no difference.
func (c *checker) compile(ctx context.Context, sources []*pkg) error {
	for _, cgo := range []string{asBefore, "0"} {
		var missing []string
		for _, p := range sources {
			for _, to := range p.imports {
				if c.exports[to.ImportPath] == "" && !to.source && to.ImportPath != "unsafe" {
					missing = append(missing, to.ImportPath)
				}
			}
		}
		if len(missing) == 0 {
			return nil
		}
		slices.Sort(missing)
		arguments := append([]string{"list", "-e", "-export", "-f={{.ImportPath}}\t{{.Export}}", "--"}, slices.Compact(missing)...)
		out, err := c.program.command(ctx, cgo, arguments...)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(out)) {
			path, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			c.exports[path] = file
		}
	}
	return nil
}

// parsed are the files with Go in them.
func (p *pkg) parsed() []string { return append(slices.Clone(p.GoFiles), p.CgoFiles...) }

// parse reads the files of all packages, as many at a time as there are
// processors.
func (c *checker) parse(ctx context.Context, sources []*pkg) error {
	type job struct {
		file **ast.File
		err  *error
		path string
	}
	var jobs []job
	for _, p := range sources {
		names := p.parsed()
		p.checked = &checked{syntax: make([]*ast.File, len(names))}
		errs := make([]error, len(names))
		for i, name := range names {
			jobs = append(jobs, job{&p.syntax[i], &errs[i], filepath.Join(p.Dir, name)})
		}
		defer func() { p.err = errors.Join(errs...) }()
	}
	next := make(chan job)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range next {
				*j.file, *j.err = parser.ParseFile(c.program.files, j.path, nil, parser.ParseComments|parser.SkipObjectResolution)
			}
		})
	}
	for _, j := range jobs {
		if ctx.Err() != nil {
			break
		}
		next <- j
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// check finds the types of a package. All that it imports was checked before.
func (c *checker) check(p *pkg) {
	if p.Error != nil {
		p.err = errors.Join(p.err, errors.New(strings.TrimSpace(p.Error.Pos+" "+p.Error.Err)))
	}
	p.syntax = slices.DeleteFunc(p.syntax, func(f *ast.File) bool { return f == nil })
	p.info = &types.Info{
		Types:        map[ast.Expr]types.TypeAndValue{},
		Instances:    map[*ast.Ident]types.Instance{},
		Defs:         map[*ast.Ident]types.Object{},
		Uses:         map[*ast.Ident]types.Object{},
		Implicits:    map[ast.Node]types.Object{},
		Selections:   map[*ast.SelectorExpr]*types.Selection{},
		FileVersions: map[*ast.File]string{},
	}
	var wrong []error
	config := types.Config{
		Importer:         imports{c, p},
		Sizes:            c.sizes,
		FakeImportC:      true,
		IgnoreFuncBodies: !p.follow,
		Error: func(err error) {
			if wrong = append(wrong, err); len(wrong) > 3 {
				wrong = wrong[:3]
			}
		},
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		config.GoVersion = "go" + p.Module.GoVersion
	}
	// The error is the first of those in wrong.
	p.types, _ = config.Check(p.ImportPath, c.program.files, p.syntax, p.info)
	if p.err == nil {
		p.err = errors.Join(wrong...)
	}
	if p.follow {
		c.program.declare(p)
	}
}

// imports finds what a package imports.
type imports struct {
	checker *checker
	from    *pkg
}

func (i imports) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	path = i.from.resolve(path)
	to := i.checker.program.packages[path]
	switch {
	case to == nil:
		return nil, fmt.Errorf("package %s is not there", path)
	case !to.source:
		if to.Error != nil {
			return nil, errors.New(to.Error.Err)
		}
		return i.checker.exported.Import(path)
	case to.checked == nil || to.types == nil:
		return nil, fmt.Errorf("package %s was not checked", path)
	}
	return to.types, nil
}

// compiles is the error of the first package, of those that p imports and p
// itself, that does not compile.
func (p *pkg) compiles() error {
	for _, each := range p.closure() {
		if each.source && each.err != nil {
			return fmt.Errorf("package %s does not compile: %w", each.ImportPath, each.err)
		}
		if !each.source && each.Error != nil {
			return fmt.Errorf("package %s cannot be built: %s", each.ImportPath, each.Error.Err)
		}
	}
	return nil
}
