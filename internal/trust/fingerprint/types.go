package fingerprint

import (
	"go/ast"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// typeExpr writes the type that an expression means, so that an alias is what it
// stands for, and mentions what has a name of its own.
func (w *writer) typeExpr(e ast.Expr) {
	w.typ(w.info.Types[e].Type)
	w.mentions(e)
}

// typ writes a type: declared ones by reference, others by how they are built.
func (w *writer) typ(t types.Type) {
	if t == nil {
		w.both("no type")
		return
	}
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		w.both(types.Typ[t.Kind()].Name()) // byte is uint8
	case *types.Named:
		w.named(t)
	case *types.TypeParam:
		w.local(t.Obj())
	case *types.Pointer:
		w.both("*")
		w.typ(t.Elem())
	case *types.Slice:
		w.both("[]")
		w.typ(t.Elem())
	case *types.Array:
		w.both("[n]", strconv.FormatInt(t.Len(), 10))
		w.typ(t.Elem())
	case *types.Map:
		w.both("map")
		w.typ(t.Key())
		w.typ(t.Elem())
	case *types.Chan:
		w.both("chan", strconv.Itoa(int(t.Dir())))
		w.typ(t.Elem())
	case *types.Struct:
		w.structure(t)
	case *types.Interface:
		w.iface(t)
	case *types.Union:
		w.both("|", strconv.Itoa(t.Len()))
		for term := range t.Terms() {
			w.both(strconv.FormatBool(term.Tilde()))
			w.typ(term.Type())
		}
	case *types.Signature:
		w.both("func")
		w.tuple(t.Params())
		w.tuple(t.Results())
		w.both(strconv.FormatBool(t.Variadic()))
	case *types.Tuple:
		w.tuple(t)
	}
}

func (w *writer) tuple(t *types.Tuple) {
	w.both("(", strconv.Itoa(t.Len()))
	for v := range t.Variables() {
		w.typ(v.Type())
	}
}

// structure writes names of fields, too: encoders and %+v see them.
func (w *writer) structure(t *types.Struct) {
	w.both("struct", strconv.Itoa(t.NumFields()))
	for i := range t.NumFields() {
		f := t.Field(i)
		w.both(f.Name(), strconv.FormatBool(f.Embedded()), t.Tag(i))
		w.typ(f.Type())
	}
}

func (w *writer) iface(t *types.Interface) {
	methods := slices.SortedFunc(t.ExplicitMethods(), func(a, b *types.Func) int { return strings.Compare(a.Id(), b.Id()) })
	w.both("interface", strconv.Itoa(len(methods)))
	for _, m := range methods {
		w.both(m.Name())
		w.typ(m.Type())
	}
	w.both(strconv.Itoa(t.NumEmbeddeds()))
	for embedded := range t.EmbeddedTypes() {
		w.typ(embedded)
	}
}

// named writes a declared type. Generic code may do anything with the types that
// it is made for, so these count as if they became interfaces.
func (w *writer) named(t *types.Named) {
	name := t.Origin().Obj()
	if name.Pkg() != nil && !isPackageLevel(name) {
		w.local(name)
	} else {
		w.object(name)
	}
	w.arguments(t.TypeArgs())
}

func (w *writer) arguments(list *types.TypeList) {
	if list.Len() == 0 {
		return
	}
	w.both("[", strconv.Itoa(list.Len()))
	for t := range list.Types() {
		w.typ(t)
		w.facts.becomes = append(w.facts.becomes, t)
	}
}

// signature writes the type of a function that is declared here, and gives its
// parameters and results their numbers: those without a name, too, so that a
// name for one changes nothing.
func (w *writer) signature(s *types.Signature) {
	w.typeParams(s.RecvTypeParams())
	w.typeParams(s.TypeParams())
	if s.Recv() != nil {
		w.both("receiver")
		w.typ(s.Recv().Type())
		w.bind(s.Recv())
	}
	w.typ(types.NewSignatureType(nil, nil, nil, s.Params(), s.Results(), s.Variadic()))
	for v := range s.Params().Variables() {
		w.bind(v)
	}
	for v := range s.Results().Variables() {
		w.bind(v)
	}
}

func (w *writer) typeParams(list *types.TypeParamList) {
	w.both(strconv.Itoa(list.Len()))
	for t := range list.TypeParams() {
		w.bind(t.Obj())
	}
	for t := range list.TypeParams() {
		w.typ(t.Constraint())
	}
}
