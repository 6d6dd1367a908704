package fingerprint

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Fingerprint follows a function. It fails if the function is none that can be
// followed, or if a package that it needs does not compile.
func (p *Program) Fingerprint(ctx context.Context, d *Definition) (*code.Fingerprint, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.ready(ctx, d); err != nil {
		return nil, err
	}
	r := newReach(p, d.home)
	if err := r.all(ctx, d.root); err != nil {
		return nil, err
	}
	if err := r.dependencies(); err != nil {
		return nil, err
	}
	f := &code.Fingerprint{Varies: r.varies(), Hash: r.sum(d.root).String(), Go: p.goMinor, Package: d.home.ImportPath}
	r.describe(f, d.home)
	return f, nil
}

// describe lists what counts.
func (r *reach) describe(f *code.Fingerprint, home *pkg) {
	p := r.program
	for d := range r.counted {
		f.Decls = append(f.Decls, p.describe(d, home))
		if d.kind != code.Init { // what runs before main calls nothing through mops, and may list functions
			f.Callees = append(f.Callees, d.known.callees...)
		}
		for _, n := range d.known.notes {
			file, line := p.place(d.pkg, n.pos, home)
			f.Notes = append(f.Notes, code.Note{File: file, Line: line, Text: n.text})
		}
		if text := r.setAtRunTime(d); text != "" {
			file, line := p.position(d, home)
			f.Notes = append(f.Notes, code.Note{File: file, Line: line, Text: text})
		}
	}
	for v := range r.counted {
		if actions := r.inOrder(v); len(actions) > 1 {
			h := sha256.New()
			for _, d := range actions {
				write(h, d.base())
				h.Write(d.known.shape[:])
			}
			order := p.describe(v, home)
			order.Kind, order.Hash = code.Order, hashed(h.Sum(nil)).brief()
			f.Decls = append(f.Decls, order)
		}
	}
	for d := range r.listed {
		f.Decls = append(f.Decls, p.describe(d, home))
	}
	for _, m := range r.modules {
		f.Decls = append(f.Decls, code.Decl{Kind: code.Module, Name: m.module.Path, Version: m.module.String(), Hash: m.sum.brief()})
	}
	f.Decls = append(f.Decls, code.Decl{Kind: code.Go, Name: "go", Version: p.goMinor, Hash: p.goMinor})

	slices.SortFunc(f.Decls, func(a, b code.Decl) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Hash, b.Hash))
	})
	slices.SortFunc(f.Callees, func(a, b code.Callee) int { return strings.Compare(a.Name+" "+a.Var, b.Name+" "+b.Var) })
	f.Callees = slices.Compact(f.Callees)
	slices.SortFunc(f.Notes, func(a, b code.Note) int { return strings.Compare(a.String(), b.String()) })
	f.Notes = slices.Compact(f.Notes)
}

func (p *Program) describe(d *decl, home *pkg) code.Decl {
	described := code.Decl{Kind: d.kind, Name: d.name, Hash: d.known.shape.brief()}
	described.File, described.Line = p.position(d, home)
	return described
}

// setAtRunTime says of a variable which functions set it, if any does.
func (r *reach) setAtRunTime(v *decl) string {
	if v.kind != code.Var {
		return ""
	}
	var names []string
	for _, d := range r.settersOf(v) {
		if d.kind == code.Func || d.kind == code.Method {
			names = append(names, d.base())
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return v.base() + " is set by " + strings.Join(names, ", ") + ": what it holds at run time does not count"
}
