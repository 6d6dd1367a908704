package fingerprint

import (
	"go/ast"
	"go/token"
	"go/types"
)

// Conversion is a place where a value becomes an interface.
type Conversion struct {
	From types.Type
	To   types.Type // nil where it is not known
	Pos  token.Pos
}

// Conversions are where values become interfaces in code, said or not. Who has
// the interface may call any method, and by reflection those of any part. Type
// arguments are found elsewhere: see arguments.
func Conversions(info *types.Info, code ast.Node) []Conversion {
	c := &converter{info: info}
	var results *types.Tuple
	if f, ok := code.(*ast.FuncDecl); ok {
		results = info.Defs[f.Name].Type().(*types.Signature).Results()
	}
	c.walk(code, results)
	return c.found
}

type converter struct {
	info  *types.Info
	at    token.Pos // what is looked at
	found []Conversion
}

func (c *converter) add(from, to types.Type) {
	c.found = append(c.found, Conversion{from, to, c.at})
}

// walk looks at code in a function with these results.
func (c *converter) walk(code ast.Node, results *types.Tuple) {
	ast.Inspect(code, func(n ast.Node) bool {
		if n != nil {
			c.at = n.Pos()
		}
		switch n := n.(type) {
		case *ast.FuncLit:
			c.walk(n.Body, c.info.TypeOf(n).(*types.Signature).Results())
			return false
		case *ast.CallExpr:
			c.call(n)
		case *ast.AssignStmt:
			c.values(c.typesOf(n.Lhs), n.Rhs)
		case *ast.ValueSpec:
			if n.Type != nil {
				c.values(repeat(c.info.TypeOf(n.Type), len(n.Names)), n.Values)
			}
		case *ast.ReturnStmt:
			c.values(tupleTypes(results), n.Results)
		case *ast.CompositeLit:
			c.literal(n)
		case *ast.SendStmt:
			c.elements(n.Chan, n.Value)
		case *ast.IndexExpr:
			if m, ok := underlying(c.info.TypeOf(n.X)).(*types.Map); ok {
				c.assign(m.Key(), c.info.TypeOf(n.Index))
			}
		case *ast.RangeStmt:
			// A variable that was there before may be an interface. Rare, so all
			// that is ranged over counts.
			if n.Tok == token.ASSIGN {
				c.add(c.info.TypeOf(n.X), nil)
			}
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				c.compare(n.X, n.Y)
			}
		case *ast.SwitchStmt:
			for _, clause := range n.Body.List {
				for _, each := range clause.(*ast.CaseClause).List {
					c.compare(n.Tag, each)
				}
			}
		}
		return true
	})
}

// assign notes that a value goes to a place.
func (c *converter) assign(to, from types.Type) {
	if to == nil || from == nil || !types.IsInterface(to) || types.IsInterface(from) {
		return
	}
	if _, basic := from.(*types.Basic); !basic { // which has no methods
		c.add(from, to)
	}
}

// values assigns values to as many places, or the results of one call.
func (c *converter) values(to []types.Type, from []ast.Expr) {
	given := c.typesOf(from)
	if len(from) == 1 {
		if tuple, ok := given[0].(*types.Tuple); ok {
			given = tupleTypes(tuple)
		}
	}
	for i := range min(len(to), len(given)) {
		c.assign(to[i], given[i])
	}
}

func (c *converter) compare(x, y ast.Expr) {
	if x != nil && y != nil {
		c.assign(c.info.TypeOf(x), c.info.TypeOf(y))
		c.assign(c.info.TypeOf(y), c.info.TypeOf(x))
	}
}

func (c *converter) call(n *ast.CallExpr) {
	fun := c.info.Types[n.Fun]
	if fun.IsBuiltin() {
		c.builtin(n)
		return
	}
	if fun.IsType() {
		c.values([]types.Type{fun.Type}, n.Args)
		return
	}
	signature, ok := underlying(fun.Type).(*types.Signature)
	if !ok { // a type parameter, or C
		c.all(n.Args)
		return
	}
	parameters := tupleTypes(signature.Params())
	if last := len(parameters) - 1; signature.Variadic() && !n.Ellipsis.IsValid() {
		if rest, ok := underlying(parameters[last]).(*types.Slice); ok {
			parameters = append(parameters[:last:last], repeat(rest.Elem(), c.count(n.Args)-last)...)
		}
	}
	c.values(parameters, n.Args)
}

// count is how many values arguments are.
func (c *converter) count(arguments []ast.Expr) int {
	if len(arguments) == 1 {
		if tuple, ok := c.info.TypeOf(arguments[0]).(*types.Tuple); ok {
			return tuple.Len()
		}
	}
	return len(arguments)
}

func (c *converter) builtin(n *ast.CallExpr) {
	name := ""
	if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok {
		name = id.Name
	}
	switch name {
	case "append":
		if !n.Ellipsis.IsValid() {
			c.elements(n.Args[0], n.Args[1:]...)
		}
	case "delete":
		if m, ok := underlying(c.info.TypeOf(n.Args[0])).(*types.Map); ok {
			c.assign(m.Key(), c.info.TypeOf(n.Args[1]))
		}
	case "panic":
		c.all(n.Args)
	}
}

// elements puts values into something.
func (c *converter) elements(of ast.Expr, values ...ast.Expr) {
	container, ok := underlying(c.info.TypeOf(of)).(interface{ Elem() types.Type })
	if !ok {
		c.all(values)
		return
	}
	for _, v := range values {
		c.assign(container.Elem(), c.info.TypeOf(v))
	}
}

func (c *converter) literal(n *ast.CompositeLit) {
	t := underlying(c.info.TypeOf(n))
	if pointer, ok := t.(*types.Pointer); ok { // &T left out, inside another literal
		t = underlying(pointer.Elem())
	}
	for i, element := range n.Elts {
		var key ast.Expr
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			key, element = pair.Key, pair.Value
		}
		value := c.info.TypeOf(element)
		switch t := t.(type) {
		case *types.Struct:
			if id, ok := key.(*ast.Ident); ok {
				c.assign(c.info.TypeOf(id), value)
			} else if i < t.NumFields() {
				c.assign(t.Field(i).Type(), value)
			}
		case *types.Map:
			c.assign(t.Key(), c.info.TypeOf(key))
			c.assign(t.Elem(), value)
		case interface{ Elem() types.Type }:
			c.assign(t.Elem(), value)
		default: // a type parameter
			c.all([]ast.Expr{element})
		}
	}
}

// all is for where it is not known which values become interfaces.
func (c *converter) all(values []ast.Expr) {
	for _, v := range values {
		if t := c.info.TypeOf(v); t != nil {
			c.add(t, nil)
		}
	}
}

func (c *converter) typesOf(list []ast.Expr) []types.Type {
	all := make([]types.Type, len(list))
	for i, e := range list {
		all[i] = c.info.TypeOf(e)
	}
	return all
}

func tupleTypes(t *types.Tuple) (all []types.Type) {
	for v := range t.Variables() {
		all = append(all, v.Type())
	}
	return all
}

func repeat(t types.Type, n int) []types.Type {
	all := make([]types.Type, max(n, 0))
	for i := range all {
		all[i] = t
	}
	return all
}

func underlying(t types.Type) types.Type {
	if t == nil {
		return nil
	}
	return t.Underlying()
}
