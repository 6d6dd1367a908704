package purity

import (
	"go/ast"
	"go/types"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// alias tells which variables have a part in common with a value.
func (f *flow) alias(e ast.Expr) Origins { return f.ask(e, f.common, f.aliasOf, aliasDeep) }

// address tells what who has the address of something can change.
func (f *flow) address(e ast.Expr) (o Origins) {
	base, through := f.base(e)
	if id, ok := base.(*ast.Ident); ok {
		v := f.info.ObjectOf(id)
		if isPackageVar(v) {
			return f.alias(base)
		}
		if !through && !fingerprint.Leads(v.Type()) {
			return o
		}
	}
	return f.alias(base)
}

// base is the variable, or the other expression, of which e is a part, and
// whether the way from there goes through a pointer, a slice or a map.
func (f *flow) base(e ast.Expr) (base ast.Expr, through bool) {
	for e != nil {
		e = ast.Unparen(e)
		t := underlying(f.info.TypeOf(operandOf(e)))
		switch x := e.(type) {
		case *ast.StarExpr:
			through = true
		case *ast.IndexExpr:
			if _, isArray := t.(*types.Array); !isArray {
				through = true
			}
		case *ast.SliceExpr:
			through = true
		case *ast.SelectorExpr:
			if f.info.Selections[x] == nil { // of a package
				return x.Sel, through
			}
			through = through || isPointer(t)
		default:
			return e, through
		}
		e = operandOf(e)
	}
	return nil, through
}

// operandOf is operand, with what a field is selected from.
func operandOf(e ast.Expr) ast.Expr {
	if selector, ok := e.(*ast.SelectorExpr); ok {
		return selector.X
	}
	return operand(e)
}

// common is alias within a question.
func (f *flow) common(e ast.Expr, a asked) (o Origins) {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return f.sharing(f.info.ObjectOf(e), a)
	case *ast.SelectorExpr:
		if f.info.Selections[e] == nil {
			return f.sharing(f.info.ObjectOf(e.Sel), a)
		}
		return f.common(e.X, a)
	case *ast.CallExpr:
		return f.callCommon(e, a)
	default:
		if inner := operand(e); inner != nil {
			return f.common(inner, a)
		}
	}
	return o
}

func (f *flow) sharing(v types.Object, a asked) (o Origins) {
	if v == nil || !isPackageVar(v) && !fingerprint.Leads(v.Type()) {
		return o
	}
	return f.variable(v, a, f.common, false)
}

func (f *flow) callCommon(e *ast.CallExpr, a asked) (o Origins) {
	if f.info.Types[e.Fun].IsType() && len(e.Args) == 1 {
		return f.common(e.Args[0], a)
	}
	if f.info.Types[e.Fun].IsBuiltin() {
		if id, ok := ast.Unparen(e.Fun).(*ast.Ident); ok && id.Name == "append" {
			return f.common(e.Args[0], a)
		}
		return o
	}
	called := functionOf(f.info, e)
	if called == nil || called.Pkg() == nil || fingerprint.IsMops(called.Pkg()) || f.isOther(called.Pkg()) {
		return o
	}
	if types.IsInterface(f.info.TypeOf(e)) {
		return o
	}
	result := Result{Of: key(called)}
	for _, each := range f.otherExprs(e, nil) {
		var argument Arg
		if fingerprint.Leads(f.info.TypeOf(each)) {
			argument.Alias = f.alias(each)
		}
		result.Args = append(result.Args, argument)
	}
	o.Calls = []Result{result}
	return o
}
