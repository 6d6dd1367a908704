package fingerprint

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// node writes a statement or an expression, with all that is in it: what kind it
// is, what its parts are, and where it ends. What stands for something else (a
// name, a constant, a type) is written as what it stands for.
func (w *writer) node(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		if n == nil {
			w.both(")")
			return false
		}
		if e, ok := n.(ast.Expr); ok && w.expr(e) || w.statement(n) {
			return false
		}
		w.both(fmt.Sprintf("%T", n))
		w.both(details(n)...)
		return true
	})
}

// details are what a node has beside its parts, and which of its parts are there
// where the others do not tell.
func details(n ast.Node) []string {
	has := func(parts ...bool) []string { return []string{fmt.Sprint(parts)} }
	switch n := n.(type) {
	case *ast.UnaryExpr:
		return []string{n.Op.String()}
	case *ast.BinaryExpr:
		return []string{n.Op.String()}
	case *ast.ValueSpec:
		return append(has(n.Type != nil), strconv.Itoa(len(n.Names)))
	case *ast.AssignStmt:
		return []string{n.Tok.String(), strconv.Itoa(len(n.Lhs))}
	case *ast.IncDecStmt:
		return []string{n.Tok.String()}
	case *ast.BranchStmt:
		return []string{n.Tok.String()}
	case *ast.CallExpr:
		return has(n.Ellipsis.IsValid())
	case *ast.SliceExpr:
		return has(n.Low != nil, n.High != nil, n.Max != nil)
	case *ast.TypeAssertExpr:
		return has(n.Type != nil)
	case *ast.IfStmt:
		return has(n.Init != nil, n.Else != nil)
	case *ast.ForStmt:
		return has(n.Init != nil, n.Cond != nil, n.Post != nil)
	case *ast.RangeStmt:
		return append(has(n.Key != nil, n.Value != nil), n.Tok.String())
	case *ast.SwitchStmt:
		return has(n.Init != nil, n.Tag != nil)
	case *ast.CaseClause:
		return append(has(n.List != nil), strconv.Itoa(len(n.List)))
	case *ast.CommClause:
		return has(n.Comm != nil)
	}
	return nil
}

// statement writes those nodes that are no expressions and not written by their
// parts. It says whether n is one.
func (w *writer) statement(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.Comment, *ast.CommentGroup, *ast.EmptyStmt:
		return true
	case *ast.DeclStmt:
		if n.Decl.(*ast.GenDecl).Tok == token.CONST { // its users have the values
			return true
		}
	case *ast.TypeSpec:
		w.both("type")
		w.local(w.info.Defs[n.Name])
		w.typeExpr(n.Type)
		return true
	case *ast.TypeSwitchStmt:
		w.typeSwitch(n)
		return true
	}
	return false
}

// typeSwitch gives the variable of a type switch one number: go/types has one
// variable for each case.
func (w *writer) typeSwitch(n *ast.TypeSwitchStmt) {
	w.both("type switch", strconv.FormatBool(n.Init != nil))
	if n.Init != nil {
		w.node(n.Init)
	}
	number := w.numbers
	w.numbers++
	switch assign := n.Assign.(type) {
	case *ast.AssignStmt:
		w.node(assign.Rhs[0])
	default:
		w.node(assign)
	}
	for _, clause := range n.Body.List {
		if variable := w.info.Implicits[clause]; variable != nil {
			w.locals[variable] = number
		}
		w.node(clause)
	}
	w.both(")")
}

// expr writes an expression that stands for something else. It says whether e is
// one; otherwise its parts are to be written.
func (w *writer) expr(e ast.Expr) bool {
	if value, known := w.info.Types[e]; known {
		switch {
		case value.Value != nil:
			w.constant(e, value)
			return true
		case value.IsType():
			w.typeExpr(e)
			return true
		case isOption(value.Type):
			w.both("option") // where and how functions of mops run
			return true
		}
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		w.node(e.X)
	case *ast.Ident:
		w.ident(e)
	case *ast.SelectorExpr:
		w.selector(e)
	case *ast.FuncLit:
		w.both("func")
		w.signature(w.info.Types[e].Type.(*types.Signature))
		w.node(e.Body)
	case *ast.CompositeLit:
		w.compositeLit(e)
	case *ast.IndexExpr:
		if !w.info.Types[e.Index].IsType() {
			return false
		}
		w.node(e.X) // the identifier in it has the instance
	case *ast.IndexListExpr:
		w.node(e.X)
	case *ast.CallExpr:
		return w.mopsCall(e)
	default:
		return false
	}
	return true
}

// constant writes the value of a constant expression, however it is written.
func (w *writer) constant(e ast.Expr, value types.TypeAndValue) {
	w.both("constant")
	w.typ(value.Type)
	write(w.exact, value.Value.ExactString())
	if !w.mentions(e) {
		write(w.shape, value.Value.ExactString())
	}
}

// mentions lists the constants and the aliases that an expression names: they
// count by what they stand for, and are named if that changes.
func (w *writer) mentions(e ast.Expr) (any bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		if d := w.program.decls[w.info.Uses[id]]; d != nil && (d.kind == code.Const || d.kind == code.Alias) {
			any = true
			w.list(d)
		}
		return true
	})
	return any
}

func (w *writer) ident(id *ast.Ident) {
	o := w.info.ObjectOf(id)
	switch variable, isVar := o.(*types.Var); {
	case id.Name == "_":
		w.both("_")
	case o == nil:
		w.both("unknown", id.Name)
	case isVar && variable.IsField():
		w.both("field", id.Name)
	case o.Pkg() != nil && !isPackageLevel(o) && !isMethod(o):
		w.local(o)
	default:
		w.object(o)
	}
	if instance, ok := w.info.Instances[id]; ok {
		w.arguments(instance.TypeArgs)
	}
}

func (w *writer) selector(e *ast.SelectorExpr) {
	if id, ok := e.X.(*ast.Ident); ok {
		if name, ok := w.info.Uses[id].(*types.PkgName); ok {
			if name.Imported().Path() == "C" {
				w.both("C", e.Sel.Name)
				return
			}
			w.ident(e.Sel) // however the package was imported
			return
		}
	}
	w.node(e.X)
	selection := w.info.Selections[e]
	if selection == nil { // on something from C
		w.both("unknown", e.Sel.Name)
		return
	}
	for _, name := range embeddedPath(selection) {
		w.both("field", name)
	}
	if selection.Kind() == types.FieldVal {
		w.both("field", e.Sel.Name)
		return
	}
	if method := selection.Obj().(*types.Func); types.IsInterface(method.Signature().Recv().Type()) {
		w.both("method", e.Sel.Name)
	} else {
		w.object(method)
	}
}

// embeddedPath are the embedded fields that a selection goes through.
func embeddedPath(s *types.Selection) (names []string) {
	t := s.Recv()
	for _, i := range s.Index()[:len(s.Index())-1] {
		if pointer, ok := t.Underlying().(*types.Pointer); ok {
			t = pointer.Elem()
		}
		structure, ok := t.Underlying().(*types.Struct)
		if !ok {
			return names
		}
		names, t = append(names, structure.Field(i).Name()), structure.Field(i).Type()
	}
	return names
}

// compositeLit writes the type that the literal has, said or not.
func (w *writer) compositeLit(e *ast.CompositeLit) {
	w.both("literal")
	w.typ(w.info.Types[e].Type)
	if e.Type != nil {
		w.mentions(e.Type)
	}
	for _, element := range e.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			w.both(":")
			w.node(pair.Key)
			element = pair.Value
		}
		w.node(element)
	}
	w.both(")")
}

// object writes what is declared by a package, as its kind of package has it.
func (w *writer) object(o types.Object) {
	switch generic := o.(type) {
	case *types.Func:
		o = generic.Origin()
	case *types.Var:
		o = generic.Origin()
	}
	switch in := w.packageOf(o); {
	case o.Pkg() == nil:
		w.both("universe", o.Name())
	case isFuncVar(o):
		w.callee(o)
	case o.Pkg().Path() == mopsPath:
		w.facts.mops[o.Name()] = true
		w.both("mops", o.Name())
	case in == nil:
		w.both("unknown", o.Pkg().Path(), o.Name())
	case !in.follow:
		w.facts.opaque[in] = true
		if in.ImportPath == "plugin" {
			w.note(w.decl.node.Pos(), w.decl.base()+" opens plugins: their code does not count")
		}
		w.both("opaque", o.Pkg().Path(), opaqueName(o))
	case w.program.decls[o] != nil:
		w.ref(w.program.decls[o])
	default:
		w.both("unknown", o.Name())
	}
}

func (w *writer) packageOf(o types.Object) *pkg {
	if o.Pkg() == nil {
		return nil
	}
	return w.program.packages[o.Pkg().Path()]
}

func isMethod(o types.Object) bool {
	f, ok := o.(*types.Func)
	return ok && f.Signature().Recv() != nil
}

// opaqueName is the name of an object in its package, of a method with its type.
func opaqueName(o types.Object) string {
	f, ok := o.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return o.Name()
	}
	receiver := types.TypeString(f.Signature().Recv().Type(), func(*types.Package) string { return "" })
	receiver, _, _ = strings.Cut(receiver, "[")
	return strings.TrimPrefix(receiver, "*") + "." + o.Name()
}
