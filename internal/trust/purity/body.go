package purity

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// body is a declaration that is being read.
type body struct {
	*reader
	decl     *Decl
	node     ast.Node
	accepted *accepts
	params   map[types.Object]int
	flow     *flow
	places   map[*ast.Ident]bool // variables that get a value there: they are not read
	left     []ast.Node          // what is not looked at: definitions of other functions
}

func (r *reader) body(d *Decl, node ast.Node, a *accepts) *body {
	r.out.Decls = append(r.out.Decls, d)
	return &body{reader: r, decl: d, node: node, accepted: a, params: map[types.Object]int{}, places: map[*ast.Ident]bool{}}
}

func (b *body) parameters(s *types.Signature) {
	n := 0
	if s.Recv() != nil {
		b.params[s.Recv()] = n
		n++
	}
	for v := range s.Params().Variables() {
		b.params[v] = n
		n++
	}
}

func (b *body) read() {
	b.accepted.reasons(b)
	if b.accepted.all {
		return
	}
	b.flow = newFlow(b)
	ast.PreorderStack(b.node, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if b.definition(n) {
				return false
			}
			b.call(n, stack)
		case *ast.AssignStmt:
			b.assigned(n, stack)
		case *ast.IncDecStmt:
			b.write(n.X, stack)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				b.write(n.Key, stack)
				b.write(n.Value, stack)
			}
		case *ast.Ident:
			b.ident(n, stack)
		}
		return true
	})
	b.conversions()
	b.results()
}

// definition says that a call defines a function of mops, which is cut off.
func (b *body) definition(call *ast.CallExpr) bool {
	name := fingerprint.MopsName(b.info, call)
	switch name {
	case "Define", "Declare", "Implement", "Calls":
		b.left = append(b.left, call)
		if name == "Define" && b.decl.Memo == "" && len(call.Args) > 0 {
			b.emit(call.Pos(), Event{Kind: calls, Name: fingerprint.ConstantString(b.info, call.Args[0])})
		}
		return true
	}
	return false
}

// emit notes what the declaration does, unless somebody accepts it there.
func (b *body) emit(pos token.Pos, e Event) {
	e.At = b.place(pos)
	if _, accepted := b.accepted.lines[e.At.Line]; !accepted {
		b.decl.Events = append(b.decl.Events, e)
	}
}

// ident looks at what a name stands for.
func (b *body) ident(id *ast.Ident, stack []ast.Node) {
	o := b.info.Uses[id]
	if o == nil || o.Pkg() == nil || fingerprint.IsMops(o.Pkg()) {
		return
	}
	switch o := o.(type) {
	case *types.Var:
		switch {
		case !isPackageVar(o):
		case fingerprint.IsFunction(o):
			b.emit(id.Pos(), Event{Kind: calls, To: key(o)})
		default:
			b.variable(id, o, stack)
		}
	case *types.Func:
		b.mention(id, o, stack)
	}
}

func (b *body) variable(id *ast.Ident, v *types.Var, stack []ast.Node) {
	if class, wrong := classOf(v); wrong {
		b.fault(id, class, v, stack)
	} else if !b.places[id] && !b.isOther(v.Pkg()) && !shows(v.Type()) {
		b.emit(id.Pos(), Event{Kind: reads, To: key(v)})
	}
}

// shows says that a value is one of those by which programs show something: a
// logger, a counter of a package for metrics.
func shows(t types.Type) bool {
	t = types.Unalias(t)
	if pointer, ok := t.(*types.Pointer); ok {
		t = types.Unalias(pointer.Elem())
	}
	named, ok := t.(*types.Named)
	return ok && named.Obj().Pkg() != nil && isSink(named.Obj().Pkg().Path())
}

// isOther says that a package is of others.
func (r *reader) isOther(p *types.Package) bool { return !r.own(p.Path()) }

// mention looks at a function that is called or handed on.
func (b *body) mention(id *ast.Ident, f *types.Func, stack []ast.Node) {
	if receiver := f.Signature().Recv(); receiver != nil && types.IsInterface(receiver.Type()) {
		if class, wrong := classOf(f); wrong {
			b.fault(id, class, f, stack)
		}
		b.emit(id.Pos(), Event{Kind: dynamic, Name: f.Name()})
		return
	}
	call, handed := use(id, stack)
	if class, wrong := classOf(f); wrong {
		b.fault(id, class, f, stack)
		return
	}
	if i, ok := byName[f.Pkg().Path()][nameOf(f)]; ok {
		b.readsByName(id, f, i, call, handed)
		return
	}
	if b.opensForReading(f, call) {
		b.readsByName(id, f, 0, call, nil)
		return
	}
	if b.isOther(f.Pkg()) {
		return
	}
	e := Event{Kind: refers, To: key(f), Called: call != nil, Once: b.once(stack)}
	switch {
	case call != nil:
		e.Args = b.flow.arguments(f, call)
	case handed != nil:
		e.Spread, e.Args = true, []Arg{{Value: b.flow.others(handed, nil)}}
		e.Once = e.Once || b.isOnce(handed)
	}
	b.emit(id.Pos(), e)
}

// use is the call of a function that a name stands for, or else the call that the
// function is handed to.
func use(id *ast.Ident, stack []ast.Node) (call, handed *ast.CallExpr) {
	var fun ast.Expr = id
	for _, parent := range slices.Backward(stack) {
		switch parent := parent.(type) {
		case *ast.SelectorExpr:
			if parent.X == fun {
				return nil, nil
			}
			fun = parent
			continue
		case *ast.ParenExpr:
			fun = parent
			continue
		case *ast.IndexExpr:
			if parent.X == fun {
				fun = parent
				continue
			}
		case *ast.IndexListExpr:
			fun = parent
			continue
		case *ast.CallExpr:
			if parent.Fun == fun {
				return parent, nil
			}
			return nil, parent
		}
		break
	}
	return nil, nil
}

// fault notes what is wrong, unless it only goes to logs.
func (b *body) fault(id *ast.Ident, class Class, o types.Object, stack []ast.Node) {
	if class != Network && class != Command && class != Impure && b.onlyShown(id, stack, class, 0) {
		return
	}
	if class == processors {
		class = Environment
	}
	b.emit(id.Pos(), Event{Kind: faulty, Class: class, Name: o.Pkg().Name() + "." + nameOf(o)})
}

// readsByName notes that a file is read whose name is an argument.
func (b *body) readsByName(id *ast.Ident, f *types.Func, i int, call, handed *ast.CallExpr) {
	e := Event{Kind: faulty, Class: Files, ByName: true, Name: f.Pkg().Name() + "." + nameOf(f)}
	switch {
	case call != nil:
		if f.Signature().Recv() != nil {
			i--
		}
		if i < len(call.Args) {
			e.Origins = b.flow.value(call.Args[i])
		}
	case handed != nil:
		e.Origins = b.flow.others(handed, nil)
	default:
		e.Origins = Origins{Unknown: true}
	}
	b.emit(id.Pos(), e)
}

// opensForReading says that a call of os.OpenFile does so.
func (b *body) opensForReading(f *types.Func, call *ast.CallExpr) bool {
	if call == nil || f.Pkg().Path() != "os" || nameOf(f) != "OpenFile" || len(call.Args) != 3 {
		return false
	}
	flags := b.info.Types[call.Args[1]].Value
	return flags != nil && flags.ExactString() == "0"
}
