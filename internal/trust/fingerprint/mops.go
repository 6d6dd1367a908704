package fingerprint

import (
	"go/ast"
	"go/types"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// mopsFunc is the name of the function or method of package mops that is called,
// or "".
func mopsFunc(info *types.Info, call *ast.CallExpr) string {
	if f, ok := ObjectOf(info, call.Fun).(*types.Func); ok && f.Pkg() != nil && f.Pkg().Path() == mopsPath {
		return f.Name()
	}
	return ""
}

// mopsType is the name of a type of package mops, or of what it points to.
func mopsType(t types.Type) string {
	if t == nil {
		return ""
	}
	t = types.Unalias(t)
	if pointer, ok := t.(*types.Pointer); ok {
		t = types.Unalias(pointer.Elem())
	}
	if named, ok := t.(*types.Named); ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == mopsPath {
		return named.Obj().Name()
	}
	return ""
}

// isOption says that a value decides where and how functions of mops run, and so
// nothing of what they compute.
func isOption(t types.Type) bool { return strings.HasSuffix(mopsType(t), "Option") }

// isFuncVar says that a package variable has a function of mops.
func isFuncVar(o types.Object) bool {
	v, ok := o.(*types.Var)
	return ok && !v.IsField() && mopsType(v.Type()) == "Func"
}

// callee writes that a function of mops is meant: by its name, for it may get
// another variable.
func (w *writer) callee(variable types.Object) {
	c := code.Callee{Var: variable.Pkg().Path() + "." + variable.Name()}
	if d := w.program.decls[variable]; d != nil && d.kind == code.Var {
		if value, _ := initialiser(d.node.(*ast.ValueSpec), variable, d.pkg.info); value != nil {
			c.Name = w.program.memoName(d.pkg, value)
		}
	}
	w.calls(c)
}

func (w *writer) calls(c code.Callee) {
	w.facts.callees = append(w.facts.callees, c)
	if c.Name != "" {
		w.both("callee", c.Name)
	} else {
		w.both("callee in", c.Var)
	}
}

// mopsCall writes a call by which a function of mops is defined: it is a callee,
// whose code is its own. It says whether call is one.
func (w *writer) mopsCall(call *ast.CallExpr) bool {
	switch mopsFunc(w.info, call) {
	case "Define", "Declare":
		if len(call.Args) == 0 {
			return false
		}
		w.calls(code.Callee{Name: ConstantString(w.info, call.Args[0])})
	case "Implement":
		w.both("implement")
		w.node(call.Fun)
	default:
		return false
	}
	return true
}

// memoName is the name in mops of the function that an expression is, or "".
func (p *Program) memoName(in *pkg, e ast.Expr) string {
	call, in := p.memoCall(in, e)
	if call == nil {
		return ""
	}
	return ConstantString(in.info, call.Args[0])
}

// memoCall is the call that defines or declares the function that an expression
// is, with the package that has the call, or nil.
func (p *Program) memoCall(in *pkg, e ast.Expr) (*ast.CallExpr, *pkg) {
	for range 20 { // a variable may have its value from another
		e = ast.Unparen(e)
		if call, ok := e.(*ast.CallExpr); ok {
			switch mopsFunc(in.info, call) {
			case "Define", "Declare":
				if len(call.Args) > 0 {
					return call, in
				}
			case "With":
				if selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
					e = selector.X
					continue
				}
			}
			return nil, nil
		}
		d := p.decls[ObjectOf(in.info, e)]
		if d == nil || d.kind != code.Var {
			return nil, nil
		}
		value, _ := initialiser(d.node.(*ast.ValueSpec), d.object, d.pkg.info)
		if value == nil {
			return nil, nil
		}
		in, e = d.pkg, value
	}
	return nil, nil
}
