package query

import (
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
)

// expression is one of a query.
type expression struct {
	flag, source string // as the user wrote it
	condition    bool   // rather than a value to show

	paths [][]string // what it reads; see pathsOf
	whole []string   // the path that it is, if it is no more
}

func newExpression(flag, source string, condition bool) (*expression, error) {
	e := &expression{flag: flag, source: source, condition: condition}
	tree, err := parser.ParseWithConfig(source, e.config(nil))
	if err != nil {
		return nil, e.problem(err)
	}
	e.paths, e.whole = pathsOf(tree.Node)
	for _, path := range e.paths {
		if path[0] == "$env" {
			return nil, &Problem{e: e, message: "there is no $env here"}
		}
	}
	return e, e.compile(&Type{}).problem // whatever the types are, some mistakes can be seen
}

// config is the language: that of the library, with functions of ours.
func (e *expression) config(env types.Map) *conf.Config {
	c := conf.CreateNew()
	for _, set := range append(functions, expr.Env(env), expr.DisableBuiltin("duration")) {
		set(c)
	}
	if e.condition {
		expr.AsBool()(c)
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return c
}

// The names of functions that stand for operators: nobody can write them.
const (
	ordered  = " order "
	same     = " same "
	isUnset  = " unset "
	isAbsent = " absent "
	length   = " length "
)

// functions are ours. The library compares with what it knows, and panics where a
// value is nil.
var functions = []expr.Option{
	expr.Function(ordered, func(args ...any) (any, error) {
		n, ok := order(args[1], args[2])
		return ok && map[string]bool{"<": n < 0, "<=": n <= 0, ">": n > 0, ">=": n >= 0}[args[0].(string)], nil
	}, new(func(string, any, any) bool)),
	expr.Function(same, func(args ...any) (any, error) { return equal(args[0], args[1]), nil }, new(func(any, any) bool)),
	expr.Function(isUnset, func(args ...any) (any, error) { return unset(args[0]), nil }, new(func(any) bool)),
	expr.Function(isAbsent, func(args ...any) (any, error) { return args[0] == nil, nil }, new(func(any) bool)),
	expr.Function(length, func(args ...any) (any, error) { return lengthOf(args[0]) }, new(func(any) int)),
	expr.Function("duration", func(args ...any) (any, error) { return duration(args[0].(string)) }, new(func(string) time.Duration)),
	expr.Function("bigint", func(args ...any) (any, error) { return bigint(args[0].(string)) }, new(func(string) any)),
	expr.Function("hex", func(args ...any) (any, error) { return hexed(args[0]) }, new(func(any) string)),
}
