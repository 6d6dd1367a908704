package purity

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// onlyShown says that a value goes to logs, metrics and deadlines only, or, if it
// is a number of processors, decides only how many goroutines there are. Such a
// value is in no result. The value is what the name, with what stack it is in,
// has or returns.
func (b *body) onlyShown(value ast.Expr, stack []ast.Node, class Class, depth int) bool {
	for i, parent := range slices.Backward(stack) {
		switch parent := parent.(type) {
		case *ast.ParenExpr, *ast.StarExpr:
		case *ast.SelectorExpr:
		case *ast.UnaryExpr:
		case *ast.BinaryExpr:
			if isComparison(parent.Op) {
				return false
			}
		case *ast.CallExpr:
			if parent.Fun != value {
				if b.isShown(parent, class) {
					return true
				}
				if !b.handsOn(parent) {
					return false
				}
			} else if b.isShown(parent, class) { // a method of a logger
				return true
			}
		case *ast.RangeStmt:
			return class == processors && parent.X == value && parent.Key == nil
		case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt:
			return true
		case *ast.AssignStmt:
			return (parent.Tok == token.ASSIGN || parent.Tok == token.DEFINE) && depth < 4 && b.allShown(parent.Lhs, class, depth)
		case *ast.ValueSpec:
			if i == 0 || len(stack) == 1 {
				return false // a package variable
			}
			names := make([]ast.Expr, len(parent.Names))
			for i, name := range parent.Names {
				names[i] = name
			}
			return depth < 4 && b.allShown(names, class, depth)
		default:
			return false
		}
		value, _ = parent.(ast.Expr)
	}
	return false
}

func isComparison(op token.Token) bool {
	switch op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return true
	}
	return false
}

// allShown says that all uses of local variables are such.
func (b *body) allShown(variables []ast.Expr, class Class, depth int) bool {
	for _, each := range variables {
		id, ok := each.(*ast.Ident)
		if !ok {
			return false
		}
		v := b.info.ObjectOf(id)
		if id.Name == "_" || v == nil || types.Identical(v.Type(), types.Universe.Lookup("error").Type()) {
			continue
		}
		if isPackageVar(v) {
			return false
		}
		shown := true
		ast.PreorderStack(b.node, nil, func(n ast.Node, stack []ast.Node) bool {
			use, ok := n.(*ast.Ident)
			if shown && ok && b.info.Uses[use] == v && !isAssigned(use, stack) {
				shown = b.onlyShown(use, stack, class, depth+1)
			}
			return shown
		})
		if !shown {
			return false
		}
	}
	return true
}

func isAssigned(id *ast.Ident, stack []ast.Node) bool {
	assign, ok := stack[len(stack)-1].(*ast.AssignStmt)
	return ok && assign.Tok == token.ASSIGN && slices.Contains(assign.Lhs, ast.Expr(id))
}

// isShown says that what a call gets, it shows to people or uses as a bound of time.
func (b *body) isShown(call *ast.CallExpr, class Class) bool {
	f := functionOf(b.info, call)
	if f == nil {
		id, ok := ast.Unparen(call.Fun).(*ast.Ident)
		if ok && b.info.Types[call.Fun].IsBuiltin() {
			return id.Name == "print" || id.Name == "println" || id.Name == "make" && class == processors
		}
		return false
	}
	if f.Pkg() == nil {
		return false
	}
	name := nameOf(f)
	switch path := f.Pkg().Path(); {
	case isSink(path):
		return true
	case fingerprint.IsMops(f.Pkg()):
		return name == "Record"
	case path == "fmt":
		return name == "Print" || name == "Printf" || name == "Println" || like("Fprint*", name) && b.isTerminal(call.Args[0])
	case path == "context":
		return name == "WithDeadline" || name == "WithDeadlineCause" || name == "WithTimeout" || name == "WithTimeoutCause"
	case class == processors:
		return f.Name() == "SetLimit" || f.Name() == "NewWeighted" || f.Name() == "GOMAXPROCS"
	}
	switch f.Name() {
	case "SetDeadline", "SetReadDeadline", "SetWriteDeadline":
		return true
	}
	return false
}

// isTerminal says that an expression is os.Stdout or os.Stderr.
func (b *body) isTerminal(e ast.Expr) bool {
	o := objectOf(b.info, e)
	return o != nil && o.Pkg() != nil && o.Pkg().Path() == "os" && (o.Name() == "Stdout" || o.Name() == "Stderr")
}

// handsOn says that the result of a call is made from what it gets, and that it
// does nothing else with it.
func (b *body) handsOn(call *ast.CallExpr) bool {
	if b.info.Types[call.Fun].IsType() {
		return true
	}
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && b.info.Types[call.Fun].IsBuiltin() {
		return id.Name == "min" || id.Name == "max"
	}
	f := functionOf(b.info, call)
	if f == nil || f.Pkg() == nil {
		return false
	}
	switch f.Pkg().Path() {
	case "time", "math", "strconv", "strings":
		return true
	case "fmt":
		return like("Sprint*", f.Name())
	}
	return false
}
