package purity

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

func (b *body) assigned(n *ast.AssignStmt, stack []ast.Node) {
	if n.Tok == token.DEFINE {
		return
	}
	for i, to := range n.Lhs {
		b.write(to, stack)
		// A variable that only grows is not read by growing.
		if call, ok := n.Rhs[min(i, len(n.Rhs)-1)].(*ast.CallExpr); ok && len(call.Args) > 0 && b.info.Types[call.Fun].IsBuiltin() {
			if id, ok := ast.Unparen(call.Args[0]).(*ast.Ident); ok && fingerprint.ObjectOf(b.info, to) == b.info.Uses[id] {
				b.places[id] = true
			}
		}
	}
}

// write notes that a place gets a value: a package variable, or a part of what
// one leads to.
func (b *body) write(to ast.Expr, stack []ast.Node) {
	base, through := b.flow.base(to)
	if base == nil {
		return
	}
	if id, ok := base.(*ast.Ident); ok {
		if v := b.info.ObjectOf(id); isPackageVar(v) {
			b.places[id] = true
			b.changes(to, Origins{Vars: []string{key(v)}}, stack)
			return
		}
	}
	if through {
		b.changes(to, b.flow.alias(base), stack)
	}
}

// through notes that what an expression leads to is changed.
func (b *body) through(e ast.Expr, stack []ast.Node) {
	e = ast.Unparen(e)
	if unary, ok := e.(*ast.UnaryExpr); ok && unary.Op == token.AND {
		b.write(unary.X, stack)
		return
	}
	base, through := b.flow.base(e)
	if id, ok := base.(*ast.Ident); ok {
		if v := b.info.ObjectOf(id); isPackageVar(v) {
			b.changes(e, Origins{Vars: []string{key(v)}}, stack)
			return
		}
	}
	if base != nil && (through || fingerprint.Leads(b.info.TypeOf(e))) {
		b.changes(e, b.flow.alias(base), stack)
	}
}

func (b *body) changes(at ast.Expr, o Origins, stack []ast.Node) {
	if !o.empty() && !b.once(stack) {
		b.emit(at.Pos(), Event{Kind: writes, Origins: o})
	}
}

// call looks at what a call changes by itself.
func (b *body) call(call *ast.CallExpr, stack []ast.Node) {
	if f := functionOf(b.info, call); f != nil {
		if i, ok := changed(f); ok {
			b.changedBy(call, i, stack)
		} else if f.Pkg() != nil && !b.isOther(f.Pkg()) && len(call.Args) == 0 {
			b.dropped(receiverOf(b.info, call), stack)
		}
		return
	}
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok || !b.info.Types[call.Fun].IsBuiltin() || len(call.Args) == 0 {
		return
	}
	switch id.Name {
	case "copy", "delete", "clear":
		b.through(call.Args[0], stack)
		if base, _ := b.flow.base(call.Args[0]); base != nil {
			if id, ok := base.(*ast.Ident); ok {
				b.places[id] = true
			}
		}
	}
}

// changedBy notes what a function of another package changes: its receiver, if
// it has one, is the first that it gets. The last may stand for many.
func (b *body) changedBy(call *ast.CallExpr, i int, stack []ast.Node) {
	given := call.Args
	if receiver := receiverOf(b.info, call); receiver != nil {
		given = append([]ast.Expr{receiver}, given...)
	}
	for n, e := range given {
		if n == i || n > i && functionOf(b.info, call).Signature().Variadic() {
			b.through(e, stack)
			b.dropped(e, stack)
		}
	}
}

// dropped marks the variable that a call changes as not read, where what the call
// returns is dropped.
func (b *body) dropped(e ast.Expr, stack []ast.Node) {
	if e == nil || len(stack) == 0 {
		return
	}
	if _, statement := stack[len(stack)-1].(*ast.ExprStmt); !statement {
		return
	}
	if unary, ok := ast.Unparen(e).(*ast.UnaryExpr); ok {
		e = unary.X
	}
	if base, _ := b.flow.base(e); base != nil {
		if id, ok := base.(*ast.Ident); ok {
			b.places[id] = true
		}
	}
}

// once says that code runs once in a program and does not depend on a call: it
// is in a literal that sync.Once runs, and uses nothing from outside of it but a
// context and what it sets itself.
func (b *body) once(stack []ast.Node) bool {
	for i, n := range stack {
		literal, ok := n.(*ast.FuncLit)
		if !ok || i == 0 {
			continue
		}
		if call, ok := stack[i-1].(*ast.CallExpr); ok && b.isOnce(call) && !b.depends(literal) {
			return true
		}
	}
	return false
}

func (b *body) isOnce(call *ast.CallExpr) bool {
	f := functionOf(b.info, call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != "sync" {
		return false
	}
	switch nameOf(f) {
	case "Once.Do", "OnceFunc", "OnceValue", "OnceValues":
		return true
	}
	return false
}

// depends says that a literal reads local variables from outside of it.
func (b *body) depends(literal *ast.FuncLit) (yes bool) {
	set := map[*ast.Ident]bool{}
	ast.Inspect(literal, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, to := range n.Lhs {
				if id, ok := to.(*ast.Ident); ok {
					set[id] = true
				}
			}
		case *ast.Ident:
			v, ok := b.info.Uses[n].(*types.Var)
			outside := ok && !v.IsField() && !isPackageVar(v) && (v.Pos() < literal.Pos() || v.Pos() >= literal.End())
			if outside && !set[n] && v.Type().String() != "context.Context" {
				yes = true
			}
		}
		return true
	})
	return yes
}
