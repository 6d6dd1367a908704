package fingerprint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// mopsPath is the package whose calls define functions.
const mopsPath = "github.com/TrilliantHealth/mops-go"

// Definition is a call that defines a function of mops, or a function that was
// asked for by its name.
type Definition struct {
	Name    string        // in mops; "" if it is no constant
	Version string        // "" if it is no constant
	Package string        // that defines it
	Var     string        // the variable that has it, if there is one
	Func    string        // what it calls, with the path of its package
	File    string        // where it is defined: a path in its module
	Line    int           //
	Calls   []code.Callee // what the definition names in Calls
	Open    bool          // Calls may name more, which is known only at run time
	Err     error         // why its code cannot be followed

	root *decl
	home *pkg
}

// Definitions are the functions of mops that the packages define which the
// patterns of [Load] name, without those in tests. What cannot be followed has
// an Err; the error is for packages that could not be looked at. If none could,
// there is no list at all.
func (p *Program) Definitions(ctx context.Context) ([]*Definition, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var users []*pkg
	var wrong []error
	for _, each := range p.matched {
		if each.importsPackage(mopsPath) {
			users = append(users, each)
		} else if each.Error != nil {
			wrong = append(wrong, each.listError())
		}
	}
	if err := p.checker.need(ctx, users...); err != nil {
		return nil, err
	}
	users = slices.DeleteFunc(users, func(each *pkg) bool {
		err := each.compiles()
		if err != nil {
			wrong = append(wrong, err)
		}
		return err != nil
	})
	return p.search(users), errors.Join(wrong...)
}

// Function finds a function by the path of its package and its name.
func (p *Program) Function(ctx context.Context, path, name string) (*Definition, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	in := p.packages[path]
	if in == nil || !in.follow {
		return nil, fmt.Errorf("package %s is not among the loaded ones whose source counts", path)
	}
	if err := p.checker.need(ctx, in); err != nil {
		return nil, err
	}
	if err := in.compiles(); err != nil {
		return nil, err
	}
	object, ok := in.types.Scope().Lookup(name).(*types.Func)
	if !ok {
		return nil, fmt.Errorf("package %s has no function %s", path, name)
	}
	d := &Definition{Package: path, home: in}
	if object.Signature().TypeParams().Len() > 0 {
		return nil, fmt.Errorf("%s.%s is generic: only an instance of it computes something", path, name)
	}
	d.root, d.Func = p.decls[object], path+"."+name
	d.File, d.Line = p.position(d.root, in)
	return d, nil
}

// ErrNotImplemented says that a function is declared, and that none of the packages
// which were looked at implements it.
var ErrNotImplemented = errors.New("declared and not implemented in these packages")

// search goes through packages for calls that define functions.
type search struct {
	program   *Program
	in        *pkg
	file      *ast.File
	found     []*Definition
	declared  map[types.Object]*Definition // by Declare, by the variable
	elsewhere map[*Definition]bool         // implemented by another package than declares them
}

// search finds the functions that packages define. A function belongs to the
// package that implements it.
func (p *Program) search(packages []*pkg) []*Definition {
	type implement struct {
		in    *pkg
		file  *ast.File
		call  *ast.CallExpr
		stack []ast.Node
	}
	var later []implement // a function may be declared in another file
	s := &search{program: p, found: []*Definition{}, declared: map[types.Object]*Definition{}, elsewhere: map[*Definition]bool{}}
	for _, s.in = range packages {
		for _, s.file = range s.in.syntax {
			ast.PreorderStack(s.file, nil, func(n ast.Node, stack []ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch mopsFunc(s.in.info, call) {
				case "Define", "Declare":
					s.define(call, stack)
				case "Implement":
					later = append(later, implement{s.in, s.file, call, slices.Clone(stack)})
				}
				return true
			})
		}
	}
	for _, each := range later {
		s.in, s.file = each.in, each.file
		s.implement(each.call, each.stack)
	}
	for _, d := range s.found {
		if d.root == nil && d.Err == nil {
			d.Err = fmt.Errorf("%s is %w", d.Name, ErrNotImplemented)
		}
	}
	return slices.DeleteFunc(s.found, func(d *Definition) bool { return s.elsewhere[d] })
}

func (s *search) define(call *ast.CallExpr, stack []ast.Node) {
	d := &Definition{Package: s.in.ImportPath, Version: "0", home: s.in}
	d.File, d.Line = s.program.place(s.in, call.Pos(), s.in)
	s.found = append(s.found, d)
	if len(call.Args) == 0 {
		d.Err = errors.New("the call that defines the function has no arguments of its own")
		return
	}
	d.Name = ConstantString(s.in.info, call.Args[0])
	if slices.ContainsFunc(stack, isLoop) {
		d.Err = errors.New("the function is defined in a loop")
	} else if d.Name == "" {
		d.Err = errors.New("the name of the function is no constant")
	}
	variable := variableOf(s.in.info, call, stack)
	if variable != nil {
		d.Var = variable.Name()
	}
	options := call.Args[1:]
	if mopsFunc(s.in.info, call) == "Declare" {
		if variable != nil {
			s.declared[variable] = d
		}
	} else if len(options) > 0 {
		options = options[1:]
		s.body(d, call.Args[1], stack)
	}
	d.options(s, call, options)
}

func isLoop(n ast.Node) bool {
	switch n.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		return true
	}
	return false
}

// implement gives a function that was declared its body.
func (s *search) implement(call *ast.CallExpr, stack []ast.Node) {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return
	}
	d := s.declared[ObjectOf(s.in.info, selector.X)]
	if d == nil || d.home != s.in {
		s.elsewhere[d] = true
		d = &Definition{Package: s.in.ImportPath, home: s.in}
		d.File, d.Line = s.program.place(s.in, call.Pos(), s.in)
		if declare, in := s.program.memoCall(s.in, selector.X); declare != nil {
			d.Name, d.Version = ConstantString(in.info, declare.Args[0]), "0"
			d.options(&search{program: s.program, in: in}, declare, declare.Args[1:])
		}
		s.found = append(s.found, d)
	}
	s.body(d, call.Args[0], stack)
	d.options(s, call, call.Args[1:])
}

// options reads the options that matter here. One that cannot be told from a
// version makes the version unknown.
func (d *Definition) options(s *search, call *ast.CallExpr, options []ast.Expr) {
	for _, option := range options {
		inner, isCall := ast.Unparen(option).(*ast.CallExpr)
		name := ""
		if isCall {
			name = mopsFunc(s.in.info, inner)
		}
		switch {
		case name == "Version" && len(inner.Args) == 1:
			d.Version = ConstantString(s.in.info, inner.Args[0])
		case name == "Calls":
			for _, argument := range inner.Args {
				if o := ObjectOf(s.in.info, argument); o != nil && o.Pkg() != nil {
					d.Calls = append(d.Calls, code.Callee{Name: s.program.memoName(s.in, argument), Var: o.Pkg().Path() + "." + o.Name()})
				}
			}
			d.Open = d.Open || inner.Ellipsis.IsValid()
		case name != "":
		case mopsType(s.in.info.TypeOf(option)) == "FuncOption" || call.Ellipsis.IsValid():
			d.Version, d.Open = "", true
		}
	}
}

// body finds out which code the function is.
func (s *search) body(d *Definition, fn ast.Expr, stack []ast.Node) {
	fail := func(text string, arguments ...any) {
		if d.Err == nil {
			d.Err = fmt.Errorf(text, arguments...)
		}
	}
	info, fn := s.in.info, ast.Unparen(fn)
	signature, ok := underlying(info.TypeOf(fn)).(*types.Signature)
	if !ok || hasTypeParam(signature) {
		fail("the function is defined in generic code: its types are known to callers only")
		return
	}
	synthetic := &decl{pkg: s.in, file: s.file, kind: code.Func, name: s.in.ImportPath + "." + cmp.Or(d.Var, d.Name) + ".func", node: fn}
	switch o := ObjectOf(info, fn).(type) {
	case *types.Func:
		switch {
		case o.Signature().Recv() == nil:
			d.root, d.Func = s.program.decls[o.Origin()], o.Pkg().Path()+"."+o.Name()
			if d.root == nil || isInstance(info, fn) {
				synthetic.name = d.Func
				d.root = synthetic
			}
		case types.IsInterface(o.Signature().Recv().Type()):
			fail("%s is a method of an interface: which code it is, is known only at run time", o.Name())
		default:
			fail("%s is a method: its receiver's value is known only at run time; define a function that has it", o.Name())
		}
	case *types.Var:
		if o.Parent() != nil && !isPackageLevel(o) {
			fail("%s is a parameter or a local variable: which function it is, is known only at run time; call Define where the function has a name", o.Name())
		} else {
			fail("%s is a variable: which function it has, is known only at run time", o.Name())
		}
	default:
		literal, ok := fn.(*ast.FuncLit)
		if !ok {
			fail("the function is the result of an expression: which code it is, is known only at run time")
			return
		}
		if name := captured(info, literal); name != "" {
			fail("the function literal uses the local variable %s: its value is known only at run time", name)
			return
		}
		d.root, d.Func = synthetic, synthetic.name
	}
}

// captured is the name of a local variable from outside that a literal uses.
func captured(info *types.Info, literal *ast.FuncLit) (name string) {
	ast.Inspect(literal, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		v, ok := info.Uses[id].(*types.Var)
		if ok && !v.IsField() && !isPackageLevel(v) && v.Pos().IsValid() && (v.Pos() < literal.Pos() || v.Pos() >= literal.End()) && v.Pkg() != nil && v.Parent() != nil {
			name = v.Name()
		}
		return true
	})
	return name
}

// hasTypeParam says that a function's type depends on type parameters.
func hasTypeParam(t types.Type) bool {
	switch t := types.Unalias(t).(type) {
	case *types.TypeParam:
		return true
	case *types.Named:
		return slices.ContainsFunc(slices.Collect(t.TypeArgs().Types()), hasTypeParam)
	case *types.Map:
		return hasTypeParam(t.Key()) || hasTypeParam(t.Elem())
	case interface{ Elem() types.Type }:
		return hasTypeParam(t.Elem())
	case *types.Signature:
		return slices.ContainsFunc(slices.Concat(tupleTypes(t.Params()), tupleTypes(t.Results())), hasTypeParam)
	}
	return false
}

// ConstantString is the value of an expression that is a constant string, or "".
func ConstantString(info *types.Info, e ast.Expr) string {
	if value := info.Types[e].Value; value != nil && value.Kind() == constant.String {
		return constant.StringVal(value)
	}
	return ""
}

// variableOf is the variable whose value a call is.
func variableOf(info *types.Info, call *ast.CallExpr, stack []ast.Node) types.Object {
	if len(stack) == 0 {
		return nil
	}
	var names []ast.Expr
	var values []ast.Expr
	switch n := stack[len(stack)-1].(type) {
	case *ast.ValueSpec:
		values = n.Values
		for _, name := range n.Names {
			names = append(names, name)
		}
	case *ast.AssignStmt:
		names, values = n.Lhs, n.Rhs
	}
	for i, v := range values {
		if id, ok := names[min(i, len(names)-1)].(*ast.Ident); ok && v == ast.Expr(call) {
			return info.ObjectOf(id)
		}
	}
	return nil
}

// ObjectOf is what an expression names: an instance of a generic function names
// the function. It is nil if the expression is no name.
func ObjectOf(info *types.Info, e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return info.ObjectOf(e)
	case *ast.SelectorExpr:
		return info.ObjectOf(e.Sel)
	case *ast.IndexExpr:
		return ObjectOf(info, e.X)
	case *ast.IndexListExpr:
		return ObjectOf(info, e.X)
	}
	return nil
}

func isInstance(info *types.Info, e ast.Expr) bool {
	f, ok := ObjectOf(info, e).(*types.Func)
	return ok && f.Signature().TypeParams().Len() > 0
}
