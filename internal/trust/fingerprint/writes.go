package fingerprint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// writes are the package variables that a declaration may change by itself.
type writes struct {
	assigns []*decl // those that it assigns to
	changes []*decl // those, and what it gets hold of in a way that allows for changes
}

func (p *Program) writes(d *decl) *writes {
	if d.writing != nil {
		return d.writing
	}
	d.writing = &writes{}
	if d.node == nil || d.kind == code.Import {
		return d.writing
	}
	info := d.pkg.info
	ast.PreorderStack(d.node, nil, func(n ast.Node, stack []ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if v := p.decls[info.Uses[id]]; v != nil && v.kind == code.Var {
				switch use(info, id, stack) {
				case assigned:
					d.writing.assigns = append(d.writing.assigns, v)
					d.writing.changes = append(d.writing.changes, v)
				case exposed:
					d.writing.changes = append(d.writing.changes, v)
				}
			}
		}
		return true
	})
	return d.writing
}

// usage is what code does with a variable.
type usage int

const (
	read     usage = iota // its value, which leads nowhere
	exposed               // its address, or a value that leads to what it holds
	assigned              // it, or a part of what it holds, gets a value
)

// use is what is done with a variable at one place. It climbs from the variable
// to its part that is meant, x.f[i], and looks at what that stands in.
func use(info *types.Info, id *ast.Ident, stack []ast.Node) usage {
	var part ast.Expr = id
	for _, parent := range slices.Backward(stack) {
		switch parent := parent.(type) {
		case *ast.ParenExpr:
			part = parent
			continue
		case *ast.StarExpr:
			part = parent
			continue
		case *ast.SelectorExpr:
			selection := info.Selections[parent]
			if selection != nil && selection.Kind() != types.FieldVal {
				return receiver(info, part, selection)
			}
			part = parent
			continue
		case *ast.IndexExpr:
			if parent.X == part {
				part = parent
				continue
			}
		case *ast.SliceExpr:
			if _, isString := underlying(info.TypeOf(part)).(*types.Basic); parent.X == part && !isString {
				return exposed
			}
		case *ast.UnaryExpr:
			if parent.Op == token.AND {
				return exposed
			}
		case *ast.AssignStmt:
			if slices.Contains(parent.Lhs, part) {
				return assigned
			}
		case *ast.IncDecStmt:
			return assigned
		case *ast.RangeStmt:
			return ranged(info, part, parent)
		case *ast.BinaryExpr:
			return read
		case *ast.CallExpr:
			if known, what := builtinUse(info, part, parent); known {
				return what
			}
		}
		break
	}
	if leads(info.TypeOf(part)) {
		return exposed
	}
	return read
}

func receiver(info *types.Info, part ast.Expr, method *types.Selection) usage {
	_, byPointer := method.Obj().(*types.Func).Signature().Recv().Type().(*types.Pointer)
	if byPointer || leads(info.TypeOf(part)) {
		return exposed
	}
	return read
}

func ranged(info *types.Info, part ast.Expr, loop *ast.RangeStmt) usage {
	if loop.X != part {
		return assigned
	}
	switch t := underlying(info.TypeOf(part)).(type) {
	case *types.Map:
		if !leads(t.Elem()) && !leads(t.Key()) {
			return read
		}
	case *types.Slice:
		if !leads(t.Elem()) {
			return read
		}
	}
	if leads(info.TypeOf(part)) {
		return exposed
	}
	return read
}

func builtinUse(info *types.Info, part ast.Expr, call *ast.CallExpr) (known bool, what usage) {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok || !info.Types[call.Fun].IsBuiltin() {
		return false, read
	}
	switch id.Name {
	case "len", "cap", "min", "max", "print", "println":
		return true, read
	case "copy", "delete", "clear":
		if call.Args[0] == part {
			return true, assigned
		}
	}
	return false, read
}

// leads says that who has a copy of a value can change what other copies see. An
// error is taken for a value that nobody changes, and what a function keeps is
// its own affair.
func leads(t types.Type) bool {
	if named, ok := t.(*types.Named); ok && named.Obj().Pkg() == nil {
		return false
	}
	switch t := underlying(t).(type) {
	case *types.Basic:
		return t.Kind() == types.UnsafePointer
	case *types.Signature:
		return false
	case *types.Array:
		return leads(t.Elem())
	case *types.Struct:
		for field := range t.Fields() {
			if leads(field.Type()) {
				return true
			}
		}
		return false
	}
	return true
}
