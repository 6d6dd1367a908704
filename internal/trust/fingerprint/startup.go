package fingerprint

import (
	"cmp"
	"go/ast"
	"go/types"
	"maps"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// before is what a declaration does before main: what it may change for others.
type before struct {
	changes map[*decl]bool // variables
	fills   map[*pkg]bool  // packages that keep what others give them
	mops    bool           // it registers types, which mops makes values of
}

// registries are packages of the standard library to which a program gives code
// of its own. Any other package but these may be one, too, if it is not of the
// standard library.
var registries = []string{
	"archive/zip", "compress/flate", "crypto", "database/sql", "encoding/gob", "expvar", "flag",
	"hash", "image", "math/rand", "mime", "net/http", "net/rpc",
}

// actions are the declarations of a package that do something before main, in the
// order in which they do.
func (p *pkg) actions() []*decl {
	if p.startup == nil {
		p.startup = []*decl{}
		turns := map[types.Object]int{} // of variables; init functions have theirs after all of them
		for i, each := range p.info.InitOrder {
			for _, v := range each.Lhs {
				turns[v] = i - len(p.info.InitOrder)
			}
		}
		for _, d := range p.decls {
			if runsBefore(d) {
				p.startup = append(p.startup, d)
			}
		}
		slices.SortStableFunc(p.startup, func(a, b *decl) int { return cmp.Compare(turns[a.object], turns[b.object]) })
	}
	return p.startup
}

// inOrder are the actions that count and change a variable, in the order in which
// they run: another order may leave something else in it.
func (r *reach) inOrder(v *decl) (all []*decl) {
	if v.kind != code.Var {
		return nil
	}
	for _, in := range r.closure {
		if in.checked == nil {
			continue
		}
		for _, d := range in.actions() {
			if !r.counted[d] || d == v {
				continue
			}
			if b, err := r.program.beforeMain(d); err == nil && b.changes[v] { // what counts can be read
				all = append(all, d)
			}
		}
	}
	return all
}

// runsBefore says that a declaration does something before main.
func runsBefore(d *decl) bool {
	switch d.kind {
	case code.Init, code.Import:
		return true
	case code.Var:
		value, _ := initialiser(d.node.(*ast.ValueSpec), d.object, d.pkg.info)
		calls := false
		if value != nil {
			ast.Inspect(value, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				calls = calls || ok && !d.pkg.info.Types[call.Fun].IsType()
				return !calls
			})
		}
		return calls
	}
	return false
}

// beforeMain finds out what a declaration changes, by all that it reaches.
func (p *Program) beforeMain(d *decl) (*before, error) {
	if d.before != nil {
		return d.before, nil
	}
	b := &before{changes: map[*decl]bool{}, fills: map[*pkg]bool{}}
	r := newReach(p, d.pkg)
	r.visit(d)
	if err := r.follow(); err != nil {
		return nil, err
	}
	for each := range r.counted {
		for _, v := range p.writes(each).changes {
			b.changes[v] = true
		}
		b.mops = b.mops || each.known.mops["RegisterType"] || each.known.mops["RegisterError"]
	}
	switch {
	case d.kind == code.Import:
		for to := range d.known.opaque {
			for _, each := range append(to.imports, to) {
				b.fill(each)
			}
		}
	case d.kind == code.Init || d.object.Name() == "_":
		for to := range r.opaque {
			b.fill(to)
		}
	}
	d.before = b
	return b, nil
}

func (b *before) fill(p *pkg) {
	if !p.Standard || slices.Contains(registries, p.ImportPath) {
		b.fills[p] = true
	}
}

// startup adds what packages do before main and what matters for what counts so
// far. It says whether there was any.
func (r *reach) startup() (more bool, err error) {
	used := map[*pkg]bool{}
	for p := range r.opaque {
		for _, each := range p.closure() {
			used[each] = true
		}
	}
	for _, in := range r.closure {
		if in.checked == nil || in.ImportPath == mopsPath {
			continue
		}
		for _, d := range in.actions() {
			if r.counted[d] {
				continue
			}
			b, err := r.program.beforeMain(d)
			if err != nil {
				return false, err
			}
			if b.mops || meet(b.changes, r.counted) || meet(b.fills, used) {
				r.visit(d)
				more = true
			}
		}
	}
	return more, nil
}

func meet[K comparable](a, b map[K]bool) bool {
	for k := range maps.Keys(a) {
		if b[k] {
			return true
		}
	}
	return false
}
