package fingerprint

import (
	"context"
	"go/types"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// reach is what counts for one function. All of it depends on what the home of
// the function imports, never on what else was loaded.
type reach struct {
	program *Program
	closure []*pkg // the home, and what it imports

	counted map[*decl]bool
	todo    []*decl
	listed  map[*decl]bool // named, though they count by value
	opaque  map[*pkg]bool
	modules []dependency          // behind opaque
	becomes map[types.Object]bool // types that become interfaces
	targets map[*decl]*decl       // where the body is, if that is elsewhere
	pushed  map[string]*decl      // functions by the name that a linkname directive gives them
}

func newReach(p *Program, home *pkg) *reach {
	r := &reach{
		program: p, closure: home.closure(),
		counted: map[*decl]bool{}, listed: map[*decl]bool{}, opaque: map[*pkg]bool{},
		becomes: map[types.Object]bool{}, targets: map[*decl]*decl{}, pushed: map[string]*decl{},
	}
	for _, in := range r.closure {
		if in.checked != nil {
			for local, symbol := range in.linkname {
				if d := p.lookup(in.ImportPath+"."+local, []*pkg{in}); d != nil {
					r.pushed[symbol] = d
				}
			}
		}
	}
	return r
}

// all reaches whatever counts once root does.
func (r *reach) all(ctx context.Context, root *decl) error {
	r.visit(root)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.follow(); err != nil {
			return err
		}
		setters := r.setters()
		more, err := r.startup()
		if err != nil {
			return err
		}
		if !setters && !more {
			return nil
		}
	}
}

func (r *reach) visit(d *decl) {
	if d != nil && !r.counted[d] {
		r.counted[d] = true
		r.todo = append(r.todo, d)
	}
}

// follow visits whatever the declarations that were visited refer to.
func (r *reach) follow() error {
	for len(r.todo) > 0 {
		d := r.todo[len(r.todo)-1]
		r.todo = r.todo[:len(r.todo)-1]
		f, err := r.program.facts(d)
		if err != nil {
			return err
		}
		for _, to := range f.refs {
			r.visit(to)
		}
		if err := r.list(f); err != nil {
			return err
		}
		for p := range f.opaque {
			r.opaque[p] = true
		}
		for _, t := range f.becomes {
			r.become(t)
		}
		if d.kind == code.Type {
			for _, m := range r.program.methods(d) {
				if isMarshaler(m.object.Name()) {
					r.visit(m)
				}
			}
		}
		r.link(d, f.symbol)
	}
	return nil
}

// list names the constants and aliases behind a declaration, and those behind them.
func (r *reach) list(f *facts) error {
	for _, d := range f.listed {
		if r.listed[d] {
			continue
		}
		r.listed[d] = true
		behind, err := r.program.facts(d)
		if err != nil {
			return err
		}
		if err := r.list(behind); err != nil {
			return err
		}
	}
	return nil
}

// become notes that a value of a type becomes an interface. Then all methods of
// the type count, and those of its parts, which reflection finds.
func (r *reach) become(t types.Type) {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		for argument := range t.TypeArgs().Types() {
			r.become(argument)
		}
		r.becomeNamed(t.Origin())
	case *types.Map:
		r.become(t.Key())
		r.become(t.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		r.become(t.Elem())
	case *types.Struct:
		for field := range t.Fields() {
			r.become(field.Type())
		}
	case *types.Signature:
		for _, each := range append(tupleTypes(t.Params()), tupleTypes(t.Results())...) {
			r.become(each)
		}
	case *types.Tuple:
		for _, each := range tupleTypes(t) {
			r.become(each)
		}
	}
}

func (r *reach) becomeNamed(t *types.Named) {
	name := t.Obj()
	if r.becomes[name] || name.Pkg() == nil {
		return
	}
	r.becomes[name] = true
	d := r.program.decls[name]
	if d == nil && isPackageLevel(name) {
		return // of a package that is not followed, whose parts are
	}
	if d != nil && name.Pkg().Path() == mopsPath {
		return
	}
	r.visit(d)
	r.become(t.Underlying())
	for method := range t.Methods() {
		r.visit(r.program.decls[method])
		r.become(method.Signature())
	}
}

// methods are the declarations of a type's methods, by name.
func (p *Program) methods(d *decl) (all []*decl) {
	named, ok := d.object.Type().(*types.Named)
	if !ok {
		return nil
	}
	for method := range named.Methods() {
		if m := p.decls[method]; m != nil {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *decl) int { return strings.Compare(a.name, b.name) })
	return all
}

// isMarshaler says that encoders look for a method by its name.
func isMarshaler(name string) bool {
	for _, prefix := range []string{"Marshal", "Unmarshal", "GobEncode", "GobDecode", "AppendText", "AppendBinary", "EncodeMsgpack", "DecodeMsgpack"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "IsZero"
}

// link finds the body of a function without one, or the variable behind one: in
// a package that is followed, or as a part of one that is not.
func (r *reach) link(d *decl, symbol string) {
	if symbol == "" {
		return
	}
	to := r.program.lookup(symbol, r.closure)
	if to == nil || to == d {
		to = r.pushed[symbol]
	}
	if to != nil && to != d {
		r.targets[d] = to
		r.visit(to)
		return
	}
	for _, in := range r.closure {
		if !in.follow && strings.HasPrefix(symbol, in.ImportPath+".") {
			r.opaque[in] = true
		}
	}
}

// setters adds what assigns to a variable that counts, in the package of the
// variable: anybody may have called it. It says whether there was any.
func (r *reach) setters() (more bool) {
	packages := map[*pkg]bool{}
	for d := range r.counted {
		if d.kind == code.Var {
			packages[d.pkg] = true
		}
	}
	for in := range packages {
		for _, d := range in.decls {
			if !r.counted[d] && slices.ContainsFunc(r.program.writes(d).assigns, func(v *decl) bool { return r.counted[v] }) {
				r.visit(d)
				more = true
			}
		}
	}
	return more
}

// settersOf are the declarations that count and assign to a variable.
func (r *reach) settersOf(v *decl) (all []*decl) {
	for _, d := range v.pkg.decls {
		if r.counted[d] && slices.Contains(r.program.writes(d).assigns, v) {
			all = append(all, d)
		}
	}
	return all
}
