package purity

import (
	"go/ast"
	"go/types"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// functionOf is the function or method that a call names, if it is known.
func functionOf(info *types.Info, call *ast.CallExpr) *types.Func {
	f, _ := fingerprint.ObjectOf(info, call.Fun).(*types.Func)
	return f
}

// receiverOf is what a method is called on.
func receiverOf(info *types.Info, call *ast.CallExpr) ast.Expr {
	if selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		if s := info.Selections[selector]; s != nil && s.Kind() != types.MethodExpr {
			return selector.X
		}
	}
	return nil
}

// isPackageVar says that an object is a variable of a package.
func isPackageVar(o types.Object) bool {
	v, ok := o.(*types.Var)
	return ok && !v.IsField() && v.Pkg() != nil && v.Parent() == v.Pkg().Scope()
}

func underlying(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	return t.Underlying()
}

func isPointer(t types.Type) bool {
	_, ok := underlying(t).(*types.Pointer)
	return ok
}
