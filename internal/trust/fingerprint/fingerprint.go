package fingerprint

import (
	"context"
	"slices"
	"strings"
)

// Fingerprint says by which code a function computes.
type Fingerprint struct {
	Hash    string   `json:"hash"`              // equal where the code is the same
	Go      string   `json:"go"`                // such as go1.26
	Package string   `json:"package"`           // the function's
	Callees []Callee `json:"callees,omitempty"` // functions of mops that it refers to
	Decls   []Decl   `json:"decls"`             // what counts, by kind and name
	Notes   []Note   `json:"notes,omitempty"`   // where it was not possible to follow
}

// Decl is something that counts. Constants and aliases are listed, too, although
// they count only by what they stand for.
type Decl struct {
	Kind    string `json:"kind"`              // func, method, var, const, type, alias, init, import, file, module, go
	Name    string `json:"name"`              // with the path of the package
	File    string `json:"file,omitempty"`    // in the function's module, or by its import path
	Line    int    `json:"line,omitempty"`    //
	Version string `json:"version,omitempty"` // of a module or of Go
	Hash    string `json:"hash"`
}

// Fingerprint follows a function. It fails if the function is none that can be
// followed, or if a package that it needs does not compile.
func (p *Program) Fingerprint(ctx context.Context, d *Definition) (*Fingerprint, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if d.Err != nil {
		return nil, d.Err
	}
	if err := p.checker.need(ctx, d.home); err != nil {
		return nil, err
	}
	if err := d.home.compiles(); err != nil {
		return nil, err
	}
	r := newReach(p, d.home)
	if err := r.all(ctx, d.root); err != nil {
		return nil, err
	}
	if err := r.dependencies(); err != nil {
		return nil, err
	}
	f := &Fingerprint{Hash: r.sum(d.root).String(), Go: p.goMinor, Package: d.home.ImportPath}
	r.describe(f, d.home)
	return f, nil
}

// describe lists what counts.
func (r *reach) describe(f *Fingerprint, home *pkg) {
	p := r.program
	for d := range r.counted {
		f.Decls = append(f.Decls, p.describe(d, home))
		f.Callees = append(f.Callees, d.known.callees...)
		for _, n := range d.known.notes {
			file, line := p.place(d.pkg, n.pos, home)
			f.Notes = append(f.Notes, Note{File: file, Line: line, Text: n.text})
		}
		if text := r.setAtRunTime(d); text != "" {
			file, line := p.position(d, home)
			f.Notes = append(f.Notes, Note{File: file, Line: line, Text: text})
		}
	}
	for d := range r.listed {
		f.Decls = append(f.Decls, p.describe(d, home))
	}
	for _, m := range r.modules {
		f.Decls = append(f.Decls, Decl{Kind: kindModule, Name: m.module.Path, Version: m.module.String(), Hash: m.sum.brief()})
	}
	f.Decls = append(f.Decls, Decl{Kind: kindGo, Name: "go", Version: p.goMinor, Hash: p.goMinor})

	slices.SortFunc(f.Decls, func(a, b Decl) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.Kind+a.Hash, b.Kind+b.Hash)
	})
	slices.SortFunc(f.Callees, func(a, b Callee) int { return strings.Compare(a.Name+" "+a.Var, b.Name+" "+b.Var) })
	f.Callees = slices.Compact(f.Callees)
	slices.SortFunc(f.Notes, func(a, b Note) int { return strings.Compare(a.String(), b.String()) })
	f.Notes = slices.Compact(f.Notes)
}

func (p *Program) describe(d *decl, home *pkg) Decl {
	described := Decl{Kind: d.kind, Name: d.name, Hash: d.known.shape.brief()}
	described.File, described.Line = p.position(d, home)
	return described
}

// setAtRunTime says of a variable which functions set it, if any does.
func (r *reach) setAtRunTime(v *decl) string {
	if v.kind != kindVar {
		return ""
	}
	var names []string
	for _, d := range r.settersOf(v) {
		if d.kind == kindFunc || d.kind == kindMethod {
			names = append(names, d.base())
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return v.base() + " is set by " + strings.Join(names, ", ") + ": what it holds at run time does not count"
}
