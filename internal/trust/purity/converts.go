package purity

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// conversions notes of which types values become interfaces, or stand for type
// parameters, and which methods the interfaces have.
func (b *body) conversions() {
	for _, c := range fingerprint.Conversions(b.info, b.node) {
		if !b.isLeft(c.Pos) {
			b.converts(c.Pos, c.From, c.To)
		}
	}
	ast.Inspect(b.node, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		instance, ok := b.info.Instances[id]
		if !ok || b.isLeft(id.Pos()) {
			return true
		}
		generic, ok := b.info.Uses[id].Type().(interface{ TypeParams() *types.TypeParamList })
		for i := range instance.TypeArgs.Len() {
			if ok && i < generic.TypeParams().Len() {
				b.converts(id.Pos(), instance.TypeArgs.At(i), generic.TypeParams().At(i).Constraint())
			}
		}
		return true
	})
}

func (b *body) isLeft(pos token.Pos) bool {
	for _, n := range b.left {
		if pos >= n.Pos() && pos < n.End() {
			return true
		}
	}
	return false
}

func (b *body) converts(pos token.Pos, from, to types.Type) {
	e := Event{Kind: converts}
	if to != nil {
		if named, ok := types.Unalias(to).(*types.Named); ok && named.Obj().Pkg() != nil {
			e.Package = named.Obj().Pkg().Path()
		}
		if i, ok := to.Underlying().(*types.Interface); ok {
			for m := range i.Methods() {
				e.Methods = append(e.Methods, m.Name())
			}
			if e.Package == "" && types.Identical(to, types.Universe.Lookup("error").Type()) {
				e.Package = "builtin"
			}
		}
	}
	seen := map[*types.TypeName]bool{}
	b.parts(from, seen, func(t *types.Named, whole bool) {
		methods := b.methodsOf(t)
		if len(methods) == 0 {
			return
		}
		e := e
		e.To = typeKey(t.Obj(), b.source)
		b.out.Methods[e.To] = methods
		if !whole {
			e.Package, e.Methods = "", nil
		}
		b.emit(pos, e)
	}, true)
}

// typeKey names a type for all packages; those in functions by their place.
func typeKey(t *types.TypeName, s *fingerprint.Checked) string {
	k := t.Pkg().Path() + "." + t.Name()
	if t.Parent() != t.Pkg().Scope() && t.Pkg() == s.Types {
		k += " " + s.Files.Position(t.Pos()).String()
	}
	return k
}

// parts calls found for the named types of which a value consists. Reflection
// finds them all; the whole has the methods that are called by their names.
func (b *body) parts(t types.Type, seen map[*types.TypeName]bool, found func(*types.Named, bool), whole bool) {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		name := t.Obj()
		for argument := range t.TypeArgs().Types() {
			b.parts(argument, seen, found, false)
		}
		if name.Pkg() == nil || seen[name] || b.isOther(name.Pkg()) || fingerprint.IsMops(name.Pkg()) {
			return
		}
		seen[name] = true
		found(t, whole)
		b.parts(t.Underlying(), seen, found, false)
	case *types.Pointer:
		b.parts(t.Elem(), seen, found, whole)
	case *types.Map:
		b.parts(t.Key(), seen, found, false)
		b.parts(t.Elem(), seen, found, false)
	case *types.Signature, *types.Interface, *types.TypeParam:
	case interface{ Elem() types.Type }:
		b.parts(t.Elem(), seen, found, false)
	case *types.Struct:
		for field := range t.Fields() {
			// The whole has the methods of an embedded field.
			b.parts(field.Type(), seen, found, whole && field.Embedded())
		}
	case *types.Tuple:
		for v := range t.Variables() {
			b.parts(v.Type(), seen, found, whole)
		}
	}
}

// methodsOf are those of a type and of a pointer to it, by name: the keys of the
// functions behind them, which may be those of an embedded field.
func (r *reader) methodsOf(t *types.Named) map[string]string {
	if types.IsInterface(t) {
		return nil
	}
	if all, known := r.methods[t]; known {
		return all
	}
	all := map[string]string{}
	for m := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		f := m.Obj().(*types.Func)
		if f.Pkg() != nil && !types.IsInterface(f.Signature().Recv().Type()) && !r.isOther(f.Pkg()) {
			all[f.Name()] = key(f)
		}
	}
	r.methods[t] = all
	return all
}

// results notes from what the results are made, or the value of a variable.
func (b *body) results() {
	if b.decl.Kind == aVar {
		if e, ok := b.node.(ast.Expr); ok {
			b.decl.Result, b.decl.Alias = b.flow.value(e), b.flow.alias(e)
		}
		return
	}
	add := func(e ast.Expr) {
		t := b.info.TypeOf(e)
		b.decl.Result.add(b.flow.value(e))
		if t != nil && fingerprint.Leads(t) {
			b.decl.Alias.add(b.flow.alias(e))
		}
	}
	for _, r := range b.flow.returns {
		for _, e := range r.Results {
			add(e)
		}
	}
	var results *ast.FieldList
	switch n := b.node.(type) {
	case *ast.FuncDecl:
		results = n.Type.Results
	case *ast.FuncLit:
		results = n.Type.Results
	}
	if results == nil {
		return
	}
	for _, field := range results.List {
		for _, name := range field.Names {
			if name.Name != "_" {
				add(name)
			}
		}
	}
}
