package purity

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// flow tells from what the values of a declaration are made. It asks two things:
// from what a value is computed, in any way, and which values have a part in
// common with it, so that who changes one changes the other. It does not look at
// the order of statements, nor at fields one by one.
type flow struct {
	*body
	values  map[types.Object][]got // of variables in the declaration
	returns []*ast.ReturnStmt      // its own
	valueOf map[ast.Expr]Origins
	aliasOf map[ast.Expr]Origins
}

// got is what a variable gets. A part of it is what an element, a field, or what
// it points to gets.
type got struct {
	from ast.Expr
	part bool
}

func newFlow(b *body) *flow {
	f := &flow{body: b, values: map[types.Object][]got{}, valueOf: map[ast.Expr]Origins{}, aliasOf: map[ast.Expr]Origins{}}
	closures := map[types.Object]*ast.FuncLit{}
	var local []*ast.CallExpr // of variables, which may have closures
	ast.PreorderStack(b.node, nil, func(n ast.Node, stack []ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				from := n.Rhs[min(i, len(n.Rhs)-1)]
				f.gets(to, from, n.Tok != token.ASSIGN && n.Tok != token.DEFINE)
				if literal, ok := from.(*ast.FuncLit); ok {
					closures[fingerprint.ObjectOf(b.info, to)] = literal
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if len(n.Values) > 0 {
					from := n.Values[min(i, len(n.Values)-1)]
					f.gets(name, from, false)
					if literal, ok := from.(*ast.FuncLit); ok {
						closures[b.info.Defs[name]] = literal
					}
				}
			}
		case *ast.RangeStmt:
			f.gets(n.Key, n.X, false)
			f.gets(n.Value, n.X, false)
		case *ast.SendStmt:
			f.gets(n.Chan, n.Value, true)
		case *ast.TypeSwitchStmt:
			f.typeSwitch(n)
		case *ast.CallExpr:
			f.call(n)
			if _, isFunc := fingerprint.ObjectOf(b.info, n.Fun).(*types.Var); isFunc {
				local = append(local, n)
			}
		case *ast.ReturnStmt:
			if !slices.ContainsFunc(stack, func(n ast.Node) bool { return isLiteral(n) && n != b.node }) {
				f.returns = append(f.returns, n)
			}
		}
		return true
	})
	for _, call := range local {
		if literal := closures[fingerprint.ObjectOf(b.info, call.Fun)]; literal != nil {
			f.bind(literal, call.Args)
		}
	}
	return f
}

func isLiteral(n ast.Node) bool {
	_, ok := n.(*ast.FuncLit)
	return ok
}

// gets notes that a place gets a value.
func (f *flow) gets(to, from ast.Expr, part bool) {
	if to == nil || from == nil {
		return
	}
	if id, ok := ast.Unparen(to).(*ast.Ident); ok {
		if o := f.info.ObjectOf(id); o != nil && !isPackageVar(o) {
			f.values[o] = append(f.values[o], got{from, part})
		}
		return
	}
	base, _ := f.base(to)
	if id, ok := base.(*ast.Ident); ok {
		f.gets(id, from, true)
	}
}

func (f *flow) typeSwitch(n *ast.TypeSwitchStmt) {
	assign, ok := n.Assign.(*ast.AssignStmt)
	if !ok {
		return
	}
	for _, clause := range n.Body.List {
		if v := f.info.Implicits[clause]; v != nil {
			f.values[v] = append(f.values[v], got{assign.Rhs[0], false})
		}
	}
}

// call notes what a call puts into variables here: those whose address it gets,
// its receiver, and the parameters of function literals that it may call.
func (f *flow) call(n *ast.CallExpr) {
	for _, argument := range n.Args {
		switch argument := ast.Unparen(argument).(type) {
		case *ast.FuncLit:
			for _, other := range f.otherExprs(n, argument) {
				f.bindAll(argument, other)
			}
		case *ast.UnaryExpr:
			if argument.Op == token.AND {
				for _, other := range f.otherExprs(n, argument) {
					f.gets(argument.X, other, true)
				}
			}
		}
	}
	for _, argument := range n.Args {
		f.gets(receiverOf(f.info, n), argument, true)
	}
}

// otherExprs are the receiver and the arguments of a call but for one.
func (f *flow) otherExprs(n *ast.CallExpr, but ast.Expr) (all []ast.Expr) {
	if receiver := receiverOf(f.info, n); receiver != nil {
		all = append(all, receiver)
	}
	for _, argument := range n.Args {
		if ast.Unparen(argument) != but {
			all = append(all, argument)
		}
	}
	return all
}

func (f *flow) bindAll(literal *ast.FuncLit, from ast.Expr) {
	for v := range f.info.TypeOf(literal).(*types.Signature).Params().Variables() {
		f.values[v] = append(f.values[v], got{from, true})
	}
}

func (f *flow) bind(literal *ast.FuncLit, arguments []ast.Expr) {
	params := f.info.TypeOf(literal).(*types.Signature).Params()
	for i, argument := range arguments {
		if n := params.Len(); n > 0 {
			v := params.At(min(i, n-1))
			f.values[v] = append(f.values[v], got{argument, false})
		}
	}
}

// arguments are what a call passes on: the receiver first, if there is one.
func (f *flow) arguments(of *types.Func, call *ast.CallExpr) (all []Arg) {
	n := of.Signature().Params().Len()
	if receiver := receiverOf(f.info, call); receiver != nil {
		a := Arg{Value: f.value(receiver)}
		if isPointer(of.Signature().Recv().Type()) || fingerprint.Leads(f.info.TypeOf(receiver)) {
			a.Alias = f.address(receiver)
		}
		all = append(all, a)
	} else if of.Signature().Recv() != nil { // a method expression
		n++
	}
	for i, argument := range call.Args {
		a := f.argument(argument, paramType(of, i))
		if i >= n && len(all) > 0 { // one more of those that go into the last
			last := &all[len(all)-1]
			last.Value.add(a.Value)
			last.Alias.add(a.Alias)
			continue
		}
		all = append(all, a)
	}
	return all
}

// argument is what is passed on for a parameter. Whoever gets an interface is
// taken not to change what is behind it, unless it is somebody's address.
func (f *flow) argument(e ast.Expr, param types.Type) Arg {
	a := Arg{Value: f.value(e)}
	if unary, ok := ast.Unparen(e).(*ast.UnaryExpr); ok && unary.Op == token.AND {
		a.Alias = f.address(unary.X)
	} else if fingerprint.Leads(f.info.TypeOf(e)) && !types.IsInterface(param) {
		a.Alias = f.alias(e)
	}
	return a
}

// paramType is the type of what stands for an argument of a call.
func paramType(f *types.Func, i int) types.Type {
	params := f.Signature().Params()
	if n := params.Len(); n > 0 {
		return params.At(min(i, n-1)).Type()
	}
	return types.Typ[types.Invalid]
}

// others is from what all that a call gets is made, but for one argument.
func (f *flow) others(n *ast.CallExpr, but ast.Expr) (o Origins) {
	for _, each := range f.otherExprs(n, but) {
		o.add(f.value(each))
	}
	return o
}

// value tells from what a value is computed.
func (f *flow) value(e ast.Expr) Origins { return f.ask(e, f.made, f.valueOf, valueDeep) }

// asked are the variables that a question has come to: their values are made
// from each other in circles.
type asked map[types.Object]bool

// ask answers a question about an expression, once.
func (f *flow) ask(e ast.Expr, how func(ast.Expr, asked) Origins, known map[ast.Expr]Origins, deep int) Origins {
	if o, ok := known[e]; ok {
		return o
	}
	known[e] = Origins{} // while it is being asked
	known[e] = how(e, asked{}).bounded(deep)
	return known[e]
}

// made is value within a question.
func (f *flow) made(e ast.Expr, a asked) (o Origins) {
	if t := f.info.Types[e]; t.Value != nil || t.IsType() || t.IsBuiltin() || !carries(f.info.TypeOf(e)) {
		return o
	}
	switch e := e.(type) {
	case *ast.Ident:
		return f.variable(f.info.ObjectOf(e), a, f.made, true)
	case *ast.SelectorExpr:
		if f.info.Selections[e] == nil {
			return f.variable(f.info.ObjectOf(e.Sel), a, f.made, true)
		}
		return f.made(e.X, a)
	case *ast.CallExpr:
		return f.callMade(e, a)
	case *ast.BinaryExpr:
		o = f.made(e.X, a)
		o.add(f.made(e.Y, a))
	case *ast.CompositeLit:
		for _, element := range e.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				element = pair.Value
			}
			o.add(f.made(element, a))
		}
	case *ast.FuncLit:
		ast.Inspect(e.Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok {
				for _, result := range r.Results {
					o.add(f.made(result, a))
				}
			}
			return true
		})
	default:
		if inner := operand(e); inner != nil {
			return f.made(inner, a)
		}
	}
	return o
}

// operand is the expression whose value, or a part of it, another one is.
func operand(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return e.X
	case *ast.StarExpr:
		return e.X
	case *ast.UnaryExpr:
		return e.X
	case *ast.IndexExpr:
		return e.X
	case *ast.SliceExpr:
		return e.X
	case *ast.TypeAssertExpr:
		return e.X
	}
	return nil
}

// variable is what all that a variable gets is made from; parts says that what
// only parts of it get counts, too.
func (f *flow) variable(o types.Object, a asked, how func(ast.Expr, asked) Origins, parts bool) (all Origins) {
	v, ok := o.(*types.Var)
	if !ok || a[v] {
		return all
	}
	a[v] = true
	if isPackageVar(v) {
		if !f.isOther(v.Pkg()) {
			all.Vars = []string{key(v)}
		}
		return all
	}
	if i, ok := f.params[v]; ok {
		all.Params = []int{i}
	}
	for _, g := range f.values[v] {
		if parts || !g.part {
			all.add(how(g.from, a))
		}
	}
	return all
}

func (f *flow) callMade(e *ast.CallExpr, a asked) (o Origins) {
	all := func() {
		for _, each := range f.otherExprs(e, nil) {
			o.add(f.made(each, a))
		}
	}
	if f.info.Types[e.Fun].IsType() || f.info.Types[e.Fun].IsBuiltin() {
		all()
		return o
	}
	called := functionOf(f.info, e)
	switch {
	case called == nil: // of a function value
		all()
		o.add(f.made(e.Fun, a))
		return o
	case fingerprint.IsMops(called.Pkg()):
		return Origins{Safe: true}
	case called.Pkg() == nil:
		return o
	case called.Pkg().Path() == "os" && (called.Name() == "MkdirTemp" || called.Name() == "CreateTemp" || called.Name() == "TempDir"):
		return Origins{Safe: true}
	case called.Signature().Recv() != nil && types.IsInterface(called.Signature().Recv().Type()):
		all()
		if !f.isOther(called.Pkg()) {
			o.Unknown = true
		}
		return o
	case f.isOther(called.Pkg()):
		all()
		return o
	}
	result := Result{Of: key(called)}
	for _, each := range f.otherExprs(e, nil) {
		result.Args = append(result.Args, Arg{Value: f.value(each)})
	}
	o.Calls = []Result{result}
	return o
}

// carries says that a value of a type can hold the name of a file.
func carries(t types.Type) bool {
	if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Pkg() == nil {
		return false // an error
	}
	if basic, ok := underlying(t).(*types.Basic); ok {
		return basic.Info()&types.IsString != 0 || basic.Kind() == types.Invalid
	}
	if tuple, ok := t.(*types.Tuple); ok {
		for v := range tuple.Variables() {
			if carries(v.Type()) {
				return true
			}
		}
		return false
	}
	return t != nil
}
