package fingerprint

import (
	"context"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"strings"
)

// Checked is a package whose declarations count one by one, parsed and checked:
// what others need who look at the same code for something else.
type Checked struct {
	Path   string // of the package
	Module string // its path
	Files  *token.FileSet
	Syntax []*ast.File
	Types  *types.Package
	Info   *types.Info

	program *Program
	pkg     *pkg
}

// NewChecked takes a package that somebody else has parsed and checked. It knows
// nothing of other packages.
func NewChecked(modulePath string, files *token.FileSet, syntax []*ast.File, checkedTypes *types.Package, info *types.Info) *Checked {
	in := &pkg{ImportPath: checkedTypes.Path(), Name: checkedTypes.Name(), Module: &module{Path: modulePath, Main: true}, follow: true, source: true}
	in.checked = &checked{syntax: syntax, types: checkedTypes, info: info}
	p := &Program{files: files, packages: map[string]*pkg{in.ImportPath: in}, decls: map[types.Object]*decl{}}
	p.declare(in)
	return p.toOthers(in)
}

func (p *Program) toOthers(in *pkg) *Checked {
	return &Checked{
		Path: in.ImportPath, Module: in.Module.Path, Files: p.files, Syntax: in.syntax, Types: in.types, Info: in.info,
		program: p, pkg: in,
	}
}

// Checked are the packages of this module, of its workspace and of modules that
// folders replace which a function's own package imports, and that package: the
// last. It fails as Fingerprint does. Package mops is left out.
func (p *Program) Checked(ctx context.Context, d *Definition) ([]*Checked, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.ready(ctx, d); err != nil {
		return nil, err
	}
	var all []*Checked
	for _, in := range d.home.closure() {
		if in.checked != nil && !in.Standard && in.Module != nil && in.Module.local() && in.ImportPath != mopsPath {
			all = append(all, p.toOthers(in))
		}
	}
	return all, nil
}

// ready checks what a function needs.
func (p *Program) ready(ctx context.Context, d *Definition) error {
	if d.Err != nil {
		return d.Err
	}
	if err := p.checker.need(ctx, d.home); err != nil {
		return err
	}
	return d.home.compiles()
}

// Definitions are the functions that the package defines. Those that cannot be
// followed have an Err.
func (s *Checked) Definitions() []*Definition {
	return s.program.search([]*pkg{s.pkg})
}

// Root is the code that a function is: of a function that is declared the
// object, of others the expression. It is nil where there is an Err.
func (d *Definition) Root() (types.Object, ast.Expr) {
	if d.root == nil {
		return nil, nil
	}
	expression, _ := d.root.node.(ast.Expr)
	return d.root.object, expression
}

// Place is where a file of a package is, for somebody in the module home: a path
// in that module, or one that begins with the path of the package.
func Place(home, module, pkg, file string) string {
	if home != "" && home == module {
		return path.Join(strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/"), file)
	}
	return path.Join(pkg, file)
}

// MopsName is the name of the function or method of package mops that is called,
// or "".
func MopsName(info *types.Info, call *ast.CallExpr) string { return mopsFunc(info, call) }

// IsFunction says that a package variable has a function of mops.
func IsFunction(o types.Object) bool { return isFuncVar(o) }

// IsMops says that a package is mops. There may be none.
func IsMops(p *types.Package) bool { return p != nil && p.Path() == mopsPath }

// Leads says that who has a copy of a value can change what other copies see.
func Leads(t types.Type) bool { return leads(t) }
