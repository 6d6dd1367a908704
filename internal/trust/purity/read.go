package purity

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// reader reads a package.
type reader struct {
	source  *fingerprint.Checked
	info    *types.Info
	own     func(path string) bool
	out     *Package
	methods map[*types.Named]map[string]string

	declared map[*types.Func]*ast.FuncDecl
}

// Read finds out what each declaration of a package does. It looks at nothing
// but this package, and what it finds depends on nothing else. Own says which
// packages are the user's, among those that it imports.
func Read(s *fingerprint.Checked, own func(path string) bool) *Package {
	r := &reader{
		source: s, info: s.Info, own: func(path string) bool { return path == s.Path || own(path) },
		out:     &Package{Path: s.Path, Name: s.Types.Name(), Module: s.Module, Roots: map[string]bool{}, Calls: map[string][]string{}, Methods: map[string]map[string]string{}},
		methods: map[*types.Named]map[string]string{}, declared: map[*types.Func]*ast.FuncDecl{},
	}
	for _, file := range s.Syntax {
		for _, each := range file.Decls {
			if f, ok := each.(*ast.FuncDecl); ok && f.Body != nil {
				if o, ok := s.Info.Defs[f.Name].(*types.Func); ok {
					r.declared[o] = f
				}
			}
		}
	}
	for _, file := range s.Syntax {
		if strings.HasSuffix(r.place(file.Package).File, "_test.go") {
			continue
		}
		accepted := r.accepts(file)
		for _, each := range file.Decls {
			switch each := each.(type) {
			case *ast.FuncDecl:
				r.function(each, accepted)
			case *ast.GenDecl:
				for _, spec := range each.Specs {
					if spec, ok := spec.(*ast.ValueSpec); ok && each.Tok == token.VAR {
						r.variables(spec, each, accepted)
					}
				}
			}
		}
		r.functions(file, accepted)
	}
	return r.out
}

// place is where something is. What cgo makes of a file has comments that say
// where it comes from; otherwise it counts where the text is.
func (r *reader) place(pos token.Pos) Place {
	at := r.source.Files.PositionFor(pos, false)
	if strings.HasSuffix(at.Filename, ".cgo1.go") {
		at = r.source.Files.PositionFor(pos, true)
	}
	return Place{path.Base(filepath.ToSlash(at.Filename)), at.Line}
}

// key names an object for all packages.
func key(o types.Object) string {
	switch generic := o.(type) {
	case *types.Func:
		o = generic.Origin()
	case *types.Var:
		o = generic.Origin()
	}
	return o.Pkg().Path() + "." + nameOf(o)
}

func (r *reader) function(f *ast.FuncDecl, a *accepts) {
	o, ok := r.info.Defs[f.Name].(*types.Func)
	if !ok || f.Body == nil || f.Name.Name == "_" {
		return
	}
	d := &Decl{Key: key(o), Base: nameOf(o), At: r.place(f.Name.Pos()), Exported: f.Name.IsExported()}
	switch {
	case f.Recv != nil:
		d.Kind = aMethod
	case f.Name.Name == "init":
		d.Kind = anInit
		d.Key = fmt.Sprint(d.Key, d.At)
	}
	body := r.body(d, f, a.declared(r, f.Name.Pos(), f.Doc))
	body.parameters(o.Signature())
	body.read()
}

func (r *reader) variables(spec *ast.ValueSpec, group *ast.GenDecl, a *accepts) {
	for i, name := range spec.Names {
		o, ok := r.info.Defs[name].(*types.Var)
		if !ok && name.Name != "_" {
			continue
		}
		at := r.place(name.Pos())
		d := &Decl{Key: r.source.Path + "." + name.Name, Base: name.Name, Kind: aVar, At: at, Exported: name.IsExported()}
		if name.Name == "_" {
			d.Key, d.Kind = fmt.Sprint(d.Key, at), anInit
		}
		var value ast.Expr
		switch {
		case len(spec.Values) == len(spec.Names):
			value = spec.Values[i]
		case len(spec.Values) == 1:
			value = spec.Values[0]
		}
		if o != nil && fingerprint.IsFunction(o) && value != nil {
			r.functionOfMops(d, value)
		}
		if value == nil {
			r.out.Decls = append(r.out.Decls, d)
			continue
		}
		body := r.body(d, value, a.declared(r, name.Pos(), spec.Doc, spec.Comment, group.Doc))
		body.read()
	}
}

// functionOfMops notes which function of mops a variable has.
func (r *reader) functionOfMops(d *Decl, value ast.Expr) {
	for {
		value = ast.Unparen(value)
		call, ok := value.(*ast.CallExpr)
		if !ok {
			break
		}
		switch fingerprint.MopsName(r.info, call) {
		case "Define", "Declare":
			if len(call.Args) > 0 {
				d.Memo = fingerprint.ConstantString(r.info, call.Args[0])
			}
			r.named(d.Key, call)
			return
		case "With":
			selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
			if !ok {
				return
			}
			value = selector.X
		default:
			return
		}
	}
	if o := fingerprint.ObjectOf(r.info, value); o != nil && isPackageVar(o) {
		d.Same = key(o)
	}
}

// named notes which functions a definition names in Calls.
func (r *reader) named(variable string, call *ast.CallExpr) {
	for _, option := range call.Args {
		inner, ok := ast.Unparen(option).(*ast.CallExpr)
		if !ok || fingerprint.MopsName(r.info, inner) != "Calls" {
			continue
		}
		for _, argument := range inner.Args {
			if o := fingerprint.ObjectOf(r.info, argument); isPackageVar(o) {
				r.out.Calls[variable] = append(r.out.Calls[variable], key(o))
			}
		}
	}
}

// functions reads what definitions have for their functions: literals and
// instances of generic functions are declarations of their own, whatever they
// stand in.
func (r *reader) functions(file *ast.File, a *accepts) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && fingerprint.MopsName(r.info, call) == "Implement" {
			if o := fingerprint.ObjectOf(r.info, selector.X); isPackageVar(o) {
				r.named(key(o), call)
			}
		}
		for _, argument := range definedBy(r.info, call) {
			signature, ok := underlying(r.info.TypeOf(argument)).(*types.Signature)
			if !ok {
				continue
			}
			k := r.rootKey(argument)
			r.out.Roots[k] = true
			if f := fingerprint.ObjectOf(r.info, argument); f != nil && k == key(f) {
				continue // a declaration
			}
			argument = ast.Unparen(argument)
			d := &Decl{Key: k, Base: cmp.Or(fingerprint.ConstantString(r.info, call.Args[0]), "func"), At: r.place(argument.Pos())}
			body := r.body(d, argument, a.declared(r, argument.Pos()))
			body.parameters(signature)
			body.read()
			if _, literal := argument.(*ast.FuncLit); !literal {
				body.passOn(signature.Params().Len())
			}
		}
		return true
	})
}

// rootKey is the key of the declaration that an expression means as a function
// of mops.
func (r *reader) rootKey(e ast.Expr) string {
	e = ast.Unparen(e)
	if f, ok := fingerprint.ObjectOf(r.info, e).(*types.Func); ok && f.Signature().TypeParams().Len() == 0 {
		return key(f)
	}
	at := r.source.Files.PositionFor(e.Pos(), false)
	return fmt.Sprintf("%s.func %s:%d:%d", r.source.Path, path.Base(filepath.ToSlash(at.Filename)), at.Line, at.Column)
}

// passOn says that the function which an expression means gets what the
// declaration gets.
func (b *body) passOn(params int) {
	for i, e := range b.decl.Events {
		if e.Kind == refers && len(e.Args) == 0 {
			for p := range params {
				e.Args = append(e.Args, Arg{Value: Origins{Params: []int{p}}})
			}
			b.decl.Events[i] = e
		}
	}
}

// definedBy are the arguments of a call that defines a function of mops which
// the function's own code begins with.
func definedBy(info *types.Info, call *ast.CallExpr) []ast.Expr {
	switch fingerprint.MopsName(info, call) {
	case "Define":
		return call.Args[min(1, len(call.Args)):min(2, len(call.Args))]
	case "Implement":
		return call.Args[:min(1, len(call.Args))]
	}
	return nil
}

// rootOf is the key of the declaration that a definition has for its function.
func rootOf(s *fingerprint.Checked, d *fingerprint.Definition) string {
	object, expression := d.Root()
	if expression != nil {
		return (&reader{source: s, info: s.Info}).rootKey(expression)
	}
	return key(object)
}
