package fingerprint

import (
	"cmp"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// key is what a callee is known by.
func key(c code.Callee) string { return cmp.Or(c.Name, "var "+c.Var) }

// Missing are the functions of mops that a function refers to and that its Calls
// do not name, nor the Calls of those. Their versions are no part of its memo
// keys.
func (p *Program) Missing(d *Definition, f *code.Fingerprint) (missing []code.Callee) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.calls == nil {
		p.calls = map[string][]code.Callee{}
		var users []*pkg
		for _, each := range p.packages {
			if each.importsPackage(mopsPath) && each.checked != nil && each.follow && each.err == nil {
				users = append(users, each)
			}
		}
		for _, each := range p.search(users) {
			for _, name := range []string{each.Name, "var " + each.Package + "." + each.Var} {
				p.calls[name] = append(p.calls[name], each.Calls...)
			}
		}
	}
	reached := map[string]bool{cmp.Or(d.Name, "var "+d.Package+"."+d.Var): true} // itself
	var reach func([]code.Callee)
	reach = func(list []code.Callee) {
		for _, c := range list {
			if !reached[key(c)] {
				reached[key(c)] = true
				reach(p.calls[key(c)])
			}
		}
	}
	reach(d.Calls)
	for _, c := range f.Callees {
		if !reached[key(c)] {
			missing = append(missing, c)
		}
	}
	return missing
}
