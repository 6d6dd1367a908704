package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// program is an expression for calls of one type.
type program struct {
	code    *vm.Program
	absent  []gap           // fields that this type has not, as far as is known
	present []file.Location // of those that it has
	applies bool            // it is not for other types altogether
	problem error           // it does not fit the type
}

// gap is where an expression names a field that is not there.
type gap struct {
	at    file.Location
	of    string   // such as In.Area
	among []string // the fields that it has
}

// compile fits an expression to a type. A field that the type has not is no problem:
// the comparison that it stands in is false.
func (e *expression) compile(t *Type) *program {
	known, p := shapes{}, new(program)
	c := e.config(t.environment(known))
	tree, err := parser.ParseWithConfig(e.source, c)
	if err != nil {
		p.problem = e.problem(err)
		return p
	}
	checker.Check(tree, c) // for the types of all parts; what is wrong shows below
	w := rewriter{e: e, shapes: known, program: p, filled: map[ast.Node]bool{}}
	if e.condition {
		w.conditions(&tree.Node)
	} else {
		w.part(&tree.Node)
	}
	if p.problem != nil {
		return p
	}
	ast.Walk(&tree.Node, unchecked{})
	if _, err = checker.Check(tree, c); err == nil {
		p.code, err = compiler.Compile(tree, c)
	}
	if err != nil {
		p.problem = e.problem(err)
	}
	return p
}

// rewriter puts what users expect in the place of what the library would do.
type rewriter struct {
	e *expression
	shapes
	*program
	filled map[ast.Node]bool // fields that are given the zero value where they were left out
}

// conditions takes a condition apart at "and" and "or". What remains is true or false
// by itself, and false where it asks for what a call has not.
func (w *rewriter) conditions(n *ast.Node) {
	if b, ok := (*n).(*ast.BinaryNode); ok && slices.Contains([]string{"&&", "||", "and", "or"}, b.Operator) {
		w.conditions(&b.Left)
		w.conditions(&b.Right)
		return
	}
	roots, is := rootsOf(*n), categoryOf((*n).Nature())
	if !w.part(n) {
		return
	}
	if is != unknown && is != aTruth {
		w.fail(*n, "a condition is true or false, and this is %s", is)
		return
	}
	for _, root := range roots {
		there := &ast.UnaryNode{Operator: "!", Node: call(isAbsent, &ast.IdentifierNode{Value: root})}
		ast.Patch(n, &ast.BinaryNode{Operator: "&&", Left: there, Right: *n})
	}
}

// part rewrites a part of a condition, or a value to be shown. It is replaced by
// false or nil, and false returned, if it reads a field that the type has not.
func (w *rewriter) part(n *ast.Node) bool {
	before := len(w.absent)
	ast.Walk(n, finder{w})
	if len(w.absent) > before {
		if w.e.condition {
			ast.Patch(n, &ast.BoolNode{})
		} else {
			ast.Patch(n, &ast.NilNode{})
		}
		return false
	}
	w.applies = true
	ast.Walk(n, w)
	return true
}

// finder looks for fields that a type has, or has not.
type finder struct{ w *rewriter }

// Visit implements ast.Visitor.
func (f finder) Visit(n *ast.Node) {
	m, ok := (*n).(*ast.MemberNode)
	if !ok {
		return
	}
	name, ok := m.Property.(*ast.StringNode)
	if !ok || m.Method {
		return
	}
	of := f.w.shapes.of(m.Node.Nature())
	switch category := categoryOf(m.Node.Nature()); {
	case category == aNumber || category == aText || category == aTruth || category == rawBytes || category == aSequence:
		of = new(shape) // without any fields
	case of == nil || of.isMap:
		return
	}
	switch at := m.Property.Location(); {
	case of.fields[name.Value] != nil:
		f.w.present = append(f.w.present, at)
	case m.Optional || f.w.e.bracketed(at):
		ast.Patch(n, &ast.NilNode{}) // who writes it so knows that it may not be there
	default:
		f.w.absent = append(f.w.absent, gap{at, m.Node.String(), of.names()})
	}
}

// bracketed reports whether a name was written as In["name"], as of a map.
func (e *expression) bracketed(at file.Location) bool {
	runes := []rune(e.source)
	return at.From < len(runes) && strings.ContainsRune("\"'`", runes[at.From])
}

// Visit implements ast.Visitor: it rewrites operators, and steps to fields.
func (w *rewriter) Visit(n *ast.Node) {
	switch node := (*n).(type) {
	case *ast.MemberNode:
		w.step(n, node)
	case *ast.CallNode:
		w.constant(n, node)
	case *ast.BuiltinNode:
		switch {
		case node.Name == "len" && len(node.Arguments) == 1:
			ast.Patch(n, call(length, node.Arguments[0]))
			(*n).SetNature(nature.NatureOf(0))
		case node.Name == "date":
			w.date(n, node)
		}
	case *ast.BinaryNode:
		switch node.Operator {
		case "==", "!=", "<", "<=", ">", ">=":
			w.comparison(n, node)
		}
	}
}

// step makes a step to a field give nil where there is nothing to step from, and the
// zero value where the field was left out.
func (w *rewriter) step(n *ast.Node, m *ast.MemberNode) {
	if m.Method {
		return
	}
	own := *m.Nature()
	if base, index := categoryOf(m.Node.Nature()), categoryOf(m.Property.Nature()); base == aSequence && index == aNumber {
		ast.Patch(n, &ast.BuiltinNode{Name: "get", Arguments: []ast.Node{m.Node, m.Property}}) // nil where there is none
		(*n).SetNature(own)
		return
	}
	m.Optional = true
	var safe ast.Node = &ast.ChainNode{Node: m}
	safe.SetNature(own)
	of := w.shapes.of(m.Node.Nature())
	if own.IsArray() && !own.IsByteSlice() { // a nil list is an empty one
		var instead ast.Node = &ast.ConstantNode{Value: []any{}}
		instead.SetNature(own)
		safe = &ast.BinaryNode{Operator: "??", Left: safe, Right: instead}
		safe.SetNature(own)
	} else if name, ok := m.Property.(*ast.StringNode); ok && of != nil && !w.e.bracketed(m.Property.Location()) {
		if f := of.fields[name.Value]; f != nil && of.leftOut(f) {
			if zero, ok := of.zero(f); ok {
				var nothing, instead ast.Node = &ast.NilNode{}, &ast.ConstantNode{Value: zero}
				instead.SetNature(own)
				filled := &ast.BinaryNode{Operator: "??", Left: safe, Right: instead}
				safe = &ast.ConditionalNode{Cond: call(isAbsent, m.Node), Exp1: nothing, Exp2: filled}
				safe.SetNature(own)
				w.filled[safe] = !f.omits
			}
		}
	}
	ast.Patch(n, safe)
}

// constant works out what is the same for all calls, so that mistakes in it show at once.
func (w *rewriter) constant(n *ast.Node, c *ast.CallNode) {
	name, ok := c.Callee.(*ast.IdentifierNode)
	if !ok || len(c.Arguments) != 1 {
		return
	}
	text, ok := c.Arguments[0].(*ast.StringNode)
	if !ok {
		return
	}
	var value any
	var err error
	switch name.Value {
	case "duration":
		value, err = duration(text.Value)
	case "bigint":
		value, err = bigint(text.Value)
	default:
		return
	}
	if err != nil {
		w.fail(text, "%v", err)
		return
	}
	ast.Patch(n, &ast.ConstantNode{Value: value})
	(*n).SetNature(nature.NatureOf(value))
}

// date is constant for a date.
func (w *rewriter) date(n *ast.Node, call *ast.BuiltinNode) {
	var args []any
	for _, arg := range call.Arguments {
		text, ok := arg.(*ast.StringNode)
		if !ok {
			return
		}
		args = append(args, text.Value)
	}
	if len(args) == 0 {
		return
	}
	value, err := builtin.Builtins[builtin.Index["date"]].Func(args...)
	if err != nil {
		w.fail(call.Arguments[0], "%v; write one as date(\"2026-01-31\") or date(\"2026-01-31T12:00:00Z\")", err)
		return
	}
	ast.Patch(n, &ast.ConstantNode{Value: value})
	(*n).SetNature(nature.NatureOf(value))
}

// comparison checks the operands, and puts ours in the place of the library's operator.
func (w *rewriter) comparison(n *ast.Node, b *ast.BinaryNode) {
	left, right := categoryOf(b.Left.Nature()), categoryOf(b.Right.Nature())
	switch equality := b.Operator == "==" || b.Operator == "!="; {
	case equality && w.comparesNil(n, b):
		return
	case !compares(left, right, equality):
		w.fail(b, "%s %s %s makes no sense%s", left, b.Operator, right, hint(left, right))
		return
	case !equality:
		ast.Patch(n, call(ordered, &ast.StringNode{Value: b.Operator}, b.Left, b.Right))
	default:
		w.put(n, b.Operator, call(same, b.Left, b.Right))
	}
}

// comparesNil takes care of a field that records leave out where it is nil or zero:
// nobody can tell which.
func (w *rewriter) comparesNil(n *ast.Node, b *ast.BinaryNode) bool {
	value := b.Left
	if _, isNil := value.(*ast.NilNode); isNil {
		value = b.Right
	} else if _, isNil := b.Right.(*ast.NilNode); !isNil {
		return false
	}
	if !w.filled[value] {
		return false
	}
	w.put(n, b.Operator, call(isUnset, value))
	return true
}

func (w *rewriter) put(n *ast.Node, operator string, equality ast.Node) {
	if operator == "!=" {
		equality = &ast.UnaryNode{Operator: "!", Node: equality}
	}
	ast.Patch(n, equality)
}

func (w *rewriter) fail(at ast.Node, format string, args ...any) {
	if w.problem == nil {
		w.problem = &Problem{e: w.e, at: at.Location(), placed: true, message: fmt.Sprintf(format, args...)}
	}
}

func call(name string, args ...ast.Node) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args}
}

// unchecked makes the checker look at calls again: it takes the type of one that has
// any for granted, with all that stands in it.
type unchecked struct{}

// Visit implements ast.Visitor.
func (unchecked) Visit(n *ast.Node) {
	if c, ok := (*n).(*ast.CallNode); ok {
		c.SetNature(nature.Nature{})
	}
}

// rootsOf are the variables that a part of a condition reads and that may be nil. Where
// it asks for nil itself, they are those of which it reads fields.
func rootsOf(n ast.Node) (roots []string) {
	var about nilSeeker
	ast.Walk(&n, &about)
	paths, _ := pathsOf(n)
	for _, path := range paths {
		if (len(path) > 1 || !about.found) && slices.Contains(mayBeNil, path[0]) && !slices.Contains(roots, path[0]) {
			roots = append(roots, path[0])
		}
	}
	return roots
}

// nilSeeker looks for nil, and for what stands in its place.
type nilSeeker struct{ found bool }

// Visit implements ast.Visitor.
func (s *nilSeeker) Visit(n *ast.Node) {
	_, isNil := (*n).(*ast.NilNode)
	b, isBinary := (*n).(*ast.BinaryNode)
	s.found = s.found || isNil || isBinary && b.Operator == "??"
}
