// Package query finds calls by what their records say. A query has a condition and
// what is to be shown of the calls that meet it: expressions, in the language of
// github.com/expr-lang/expr, on inputs, outputs and runs. It knows no Go types of
// programs: it learns from values what fields there are, and checks expressions
// against that. It reads nothing; package look hands it what it has read.
package query

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// Query is a condition, which all calls meet if there is none, and what is to be shown.
type Query struct {
	where *expression // may be nil
	show  []*expression
	needs map[string]*dynamic.Part // by variable

	variables []string // the keys of needs

	mu    sync.Mutex // of the types: those who read add to them
	types map[Key]*Type
	order []*Type // as they were met
}

// Parse makes a query of the texts of expressions. The error is a *[Problem].
func Parse(where string, show []string) (*Query, error) {
	q := &Query{needs: map[string]*dynamic.Part{}, types: map[Key]*Type{}}
	var err error
	if where != "" {
		if q.where, err = newExpression("where", where, true); err != nil {
			return nil, err
		}
	}
	for i, text := range show {
		if slices.Contains(show[:i], text) {
			continue
		}
		e, err := newExpression("show", text, false)
		if err != nil {
			return nil, err
		}
		q.show = append(q.show, e)
	}
	for _, e := range q.all() {
		for _, path := range e.paths {
			if q.needs[path[0]] == nil {
				q.needs[path[0]] = new(dynamic.Part)
				q.variables = append(q.variables, path[0])
			}
			q.needs[path[0]].Add(path[1:])
		}
	}
	return q, nil
}

func (q *Query) all() []*expression {
	all := slices.Clone(q.show)
	if q.where != nil {
		all = append(all, q.where)
	}
	return all
}

// Needs reports whether an expression asks for one of these variables.
func (q *Query) Needs(variables ...string) bool {
	return slices.ContainsFunc(variables, func(name string) bool { return q.needs[name] != nil })
}

// The names of variables that are not a matter of what a function's types are.
const (
	In     = "In"
	Out    = "Out"
	Fields = "Fields"
	Run    = "Run"
	Err    = "Err"
	State  = "State"
	Code   = "Code"
	Func   = "Func"
)

// mayBeNil are the variables that some calls have not.
var mayBeNil = []string{In, Out, Run, Fields}

// fixed are the variables that have one type for all calls.
var fixed = types.Map{
	Err: types.String, State: types.String, Code: types.String, Func: types.String,
	"Function": types.String, "Version": types.String, "Pipeline": types.String, "URI": types.String, "Words": types.String,
	"Injected": types.Bool, "Bytes": types.Int, "Oldest": types.TypeOf(time.Time{}), "Newest": types.TypeOf(time.Time{}),
}

// variables are all names, in the order in which they are listed for people.
var variables = []string{
	In, Out, Err, State, Run, Fields, "Function", "Version", "Pipeline", Code, Func, "URI", "Words", "Bytes", "Oldest", "Newest", "Injected",
}

var functionNames = []string{"len", "any", "all", "none", "one", "filter", "map", "count", "sum", "min", "max", "date", "now", "duration", "bigint", "hex", "lower", "upper", "trim", "split"}

// Key tells calls whose records have values of the same types.
type Key struct{ Function, In, Out string } // name@version; fingerprints

// Type is what is known of the types of a function.
type Type struct {
	Key
	in, out, fields shape
	news            bool // since it was compiled

	where  *program
	show   []*program
	calls  int // that were judged
	doubts int // the most gaps that there were
}

// environment is what expressions may use, and the types of that.
func (t *Type) environment(known shapes) types.Map {
	env := types.Map{
		In: natured{known, &t.in}, Out: natured{known, &t.out}, Run: natured{known, runShape}, Fields: natured{known, &t.fields},
	}
	for name, of := range fixed {
		env[name] = of
	}
	return env
}

// Call is a call as it was read.
type Call struct {
	Key    Key
	Schema []byte         // of the types, as records have it; may be nil
	Values map[string]any // the variables that expressions ask for, as package dynamic has them

	of    *Type
	env   map[string]any
	cells []any // what is shown of a value as it is
}

// Learn takes in what was read of a call. Several may be learnt from at once.
func (q *Query) Learn(c *Call) {
	q.mu.Lock()
	t := q.types[c.Key]
	if t == nil {
		t = &Type{Key: c.Key, news: true, fields: shape{kinds: aStruct}}
		if described, err := schema.Parse(c.Schema); err == nil && len(c.Schema) > 0 {
			t.in.describe(described.In, q.needs[In])
			t.out.describe(described.Out, q.needs[Out])
		}
		q.types[c.Key], q.order = t, append(q.order, t)
	}
	c.of = t
	for _, part := range [...]struct {
		name string
		*shape
	}{{In, &t.in}, {Out, &t.out}, {Fields, &t.fields}} {
		if needs := q.needs[part.name]; needs != nil {
			t.news = part.learn(c.Values[part.name], needs) || t.news
		}
	}
	t.fields.seen = 0 // what a run has not recorded is nil, and not zero
	q.mu.Unlock()

	c.cells = make([]any, len(q.show))
	for i, e := range q.show {
		if len(e.whole) > 0 {
			c.cells[i] = follow(c.Values[e.whole[0]], e.whole[1:])
		}
	}
	c.env = make(map[string]any, len(c.Values))
	for name, v := range c.Values {
		c.env[name] = value(v, q.needs[name])
	}
	c.Values = nil
}

// notStored is a step that a stored value has not, or that only expressions know.
type notStored struct{}

// follow steps through a stored value, so that it can be shown as it is.
func follow(v any, path []string) any {
	for _, name := range path {
		for {
			object, ok := v.(dynamic.Object)
			if !ok {
				break
			}
			v = object.Value
		}
		m, ok := v.(dynamic.Map)
		if ok {
			v, ok = m.Lookup(name)
		}
		if !ok {
			return notStored{}
		}
	}
	return kept(v)
}

// kept is a value without the record that its bytes lie in.
func kept(v any) any {
	switch v := v.(type) {
	case []byte:
		return slices.Clone(v)
	case []any:
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = kept(element)
		}
		return list
	case dynamic.Map:
		m := make(dynamic.Map, len(v))
		for i, e := range v {
			m[i] = dynamic.Entry{Key: kept(e.Key), Value: kept(e.Value)}
		}
		return m
	case dynamic.Object:
		v.Value = kept(v.Value)
		return v
	case dynamic.Tagged:
		v.Value = kept(v.Value)
		return v
	}
	return v
}

// Judge says whether a call meets the condition, and what is to be shown of it. The
// error is what went wrong while its values were looked at: then it does not meet it.
// It is undecided where the condition asks for a field that its type seems not to
// have: when all calls have been learnt from, see [Query.Revised].
func (q *Query) Judge(c *Call) (cells []any, verdict Verdict, err error) {
	t := c.of
	q.fit(t)
	t.calls++
	t.doubts = max(t.doubts, t.gaps())
	if q.where != nil {
		if t.where.problem != nil {
			return nil, Undecided, nil
		}
		said, err := vm.Run(t.where.code, c.env)
		meets, ok := said.(bool)
		switch {
		case err != nil:
			return nil, No, q.where.problem(err)
		case !ok:
			return nil, No, &Problem{e: q.where, message: fmt.Sprintf("a condition is true or false, and this is %T", said)}
		case !meets && t.gaps() > 0:
			return nil, Undecided, nil
		case !meets:
			return nil, No, nil
		}
	}
	cells = make([]any, len(q.show))
	for i := range q.show {
		cells[i] = c.cells[i]
		if _, other := cells[i].(notStored); other || len(q.show[i].whole) == 0 {
			cells[i] = nil
			if t.show[i].problem == nil {
				cells[i], _ = vm.Run(t.show[i].code, c.env) // what cannot be worked out is not there
			}
		}
		cells[i] = stored(cells[i])
	}
	return cells, Yes, nil
}

// Verdict is whether a call meets the condition.
type Verdict int

// The verdicts.
const (
	No Verdict = iota
	Yes
	Undecided
)

// gaps is how many fields the condition asks for that the type has not; more than
// any number of them if the condition does not fit it.
func (t *Type) gaps() int {
	switch {
	case t.where == nil:
		return 0
	case t.where.problem != nil:
		return math.MaxInt
	}
	return len(t.where.absent)
}

// Revised reports whether more is known of a type than when one of its calls was left
// undecided, so that these may meet the condition after all.
func (q *Query) Revised(key Key) bool {
	t := q.types[key]
	q.fit(t)
	return t.gaps() < t.doubts
}

// fit compiles the expressions for a type, if anything new is known of it.
func (q *Query) fit(t *Type) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !t.news {
		return
	}
	t.news, t.where, t.show = false, nil, nil
	if q.where != nil {
		t.where = q.where.compile(t)
	}
	for _, e := range q.show {
		t.show = append(t.show, e.compile(t))
	}
}

// Misfit is a type that an expression does not fit.
type Misfit struct {
	Function string
	Calls    int
	Problem  error
}

// Misfits are the types that the condition does not fit. The error is what is wrong
// with the query: an expression fits no type, or names a field that none has.
func (q *Query) Misfits() (some []Misfit, err error) {
	for _, e := range q.all() {
		var wrong []Misfit
		fits := false
		for _, t := range q.order {
			p := t.of(q, e)
			if p.problem != nil {
				wrong = append(wrong, Misfit{t.Function, t.calls, p.problem})
			}
			fits = fits || p.problem == nil && p.applies
		}
		if len(wrong) > 0 && !fits {
			return nil, wrong[0].Problem
		}
		if err := q.nowhere(e); err != nil {
			return nil, err
		}
		if e.condition {
			some = wrong
		}
	}
	return some, nil
}

// nowhere finds a field that an expression names and that no type has.
func (q *Query) nowhere(e *expression) error {
	there := map[file.Location]bool{}
	var gaps []gap
	for _, t := range q.order {
		p := t.of(q, e)
		for _, at := range p.present {
			there[at] = true
		}
		gaps = append(gaps, p.absent...)
	}
	for i, g := range gaps {
		if there[g.at] {
			continue
		}
		for _, other := range gaps[i+1:] {
			if other.at == g.at {
				g.among = append(g.among, other.among...)
			}
		}
		slices.Sort(g.among)
		g.among = slices.Compact(g.among)
		return e.noField(g)
	}
	return nil
}

// of is what an expression became for the type.
func (t *Type) of(q *Query, e *expression) *program {
	if i := slices.Index(q.show, e); i >= 0 {
		return t.show[i]
	}
	return t.where
}

// Titles are what stands above the columns of what is shown.
func (q *Query) Titles() []string {
	titles := make([]string, len(q.show))
	for i, e := range q.show {
		titles[i] = strings.TrimSpace(e.source)
	}
	return titles
}
