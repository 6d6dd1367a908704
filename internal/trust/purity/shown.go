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
				return class == processors && i > 0 && startsGoroutines(stack[i-1], parent)
			}
		case *ast.CallExpr:
			if parent.Fun != value {
				if b.isShown(parent, class) {
					return true
				}
				if in, param := b.parameterOf(parent, value); param != nil && depth < 4 {
					return in.shown(param, class, depth)
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
		if isPackageVar(v) || !b.shown(v, class, depth) {
			return false
		}
	}
	return true
}

// shown says that all uses of a local variable are such.
func (b *body) shown(v types.Object, class Class, depth int) bool {
	shown := true
	ast.PreorderStack(b.node, nil, func(n ast.Node, stack []ast.Node) bool {
		use, ok := n.(*ast.Ident)
		if shown && ok && b.info.Uses[use] == v && !isAssigned(use, stack) {
			shown = b.onlyShown(use, stack, class, depth+1)
		}
		return shown
	})
	return shown
}

// parameterOf is the parameter that gets an argument, where the function is in
// this package, with that function.
func (b *body) parameterOf(call *ast.CallExpr, argument ast.Expr) (in *body, param types.Object) {
	i := slices.Index(call.Args, argument)
	var signature *types.Signature
	if literal, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
		in, signature = b, b.info.TypeOf(literal).(*types.Signature)
	} else if f := functionOf(b.info, call); f != nil && b.declared[f] != nil {
		in, signature = &body{reader: b.reader, node: b.declared[f]}, f.Signature()
	}
	if in == nil || i < 0 || i >= signature.Params().Len() || signature.Variadic() && i == signature.Params().Len()-1 {
		return nil, nil
	}
	return in, signature.Params().At(i)
}

// startsGoroutines says that a comparison is the condition of a loop that starts
// as many goroutines.
func startsGoroutines(n ast.Node, condition ast.Expr) (yes bool) {
	loop, ok := n.(*ast.ForStmt)
	if !ok || loop.Cond != condition {
		return false
	}
	ast.Inspect(loop.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			yes = true
		case *ast.SelectorExpr: // of a group
			yes = yes || n.Sel.Name == "Go"
		}
		return !yes
	})
	return yes
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
	case path == "time":
		return slices.Contains([]string{"Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Timer.Reset", "Ticker.Reset"}, name)
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
	o := fingerprint.ObjectOf(b.info, e)
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
