package lockfile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
	"github.com/TrilliantHealth/mops-go/internal/trust/purity"
)

// Look finds the functions of packages, and compares their code with what their
// locks say. The error is for what concerns all packages; one that does not
// compile is among the Errs of the result.
func Look(ctx context.Context, config Config) (*Result, error) {
	if len(config.Patterns) == 0 {
		config.Patterns = []string{"./..."}
	}
	config.Platform = cmp.Or(config.Platform, fingerprint.DefaultPlatform)
	if config.Now == nil {
		config.Now = time.Now
	}
	since := config.Now()
	program, err := fingerprint.Load(ctx, fingerprint.Config{Dir: config.Dir, Platform: config.Platform, Tags: config.Tags}, config.Patterns...)
	if err != nil {
		return nil, err
	}
	r := &Result{config: config}
	for _, each := range program.Packages() {
		lock, err := readLock(each.Dir)
		switch {
		case err != nil:
			r.Errs = append(r.Errs, err)
		case each.Imports || lock.there:
			r.Packages = append(r.Packages, &Package{Path: each.Path, Dir: each.Dir, listed: each, lock: lock})
		case each.Err != nil:
			r.Errs = append(r.Errs, each.Err)
		}
	}
	slices.SortFunc(r.Packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	m := newMemory(r, program, since)
	if len(r.Errs) == 0 && m.recall() {
		return r, nil
	}
	if err := r.read(ctx, program); err != nil {
		return nil, err
	}
	r.compare()
	m.keep()
	return r, nil
}

// read reads the code of all functions.
func (r *Result) read(ctx context.Context, program *fingerprint.Program) error {
	definitions, err := program.Definitions(ctx)
	if definitions == nil && err != nil {
		return err
	}
	pure := purity.NewChecker(program)
	byPath := map[string]*Package{}
	for _, p := range r.Packages {
		p.Functions, byPath[p.Path] = nil, p
	}
	for _, each := range program.Packages() {
		p := byPath[each.Path]
		if p == nil {
			continue
		}
		if p.listed = each; each.Err != nil {
			r.Errs = append(r.Errs, each.Err)
			r.Packages = slices.DeleteFunc(r.Packages, func(other *Package) bool { return other == p })
		}
	}
	for _, d := range definitions {
		f := &Function{Name: d.Name, Version: d.Version, Package: d.Package, File: d.File, Line: d.Line, Err: d.Err}
		p := byPath[f.Package]
		if p == nil {
			continue // its lock could not be read
		}
		p.Functions = append(p.Functions, f)
		switch {
		case d.Err != nil:
			continue
		case d.Version == "":
			f.Err = errors.New("its version is no constant")
			continue
		}
		if f.Code, err = program.Fingerprint(ctx, d); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		for _, c := range program.Missing(d, f.Code) {
			f.Missing = append(f.Missing, cmp.Or(c.Name, c.Var))
		}
		findings, err := pure.Check(ctx, d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
		for _, each := range findings {
			if each.Class != purity.Calls { // Missing says it
				f.Impure = append(f.Impure, each.String())
			}
		}
	}
	for _, p := range r.Packages {
		p.unique()
	}
	return nil
}

// unique sorts the functions of a package. Two of one name that are the same are
// one; a lock cannot tell others apart.
func (p *Package) unique() {
	slices.SortStableFunc(p.Functions, func(a, b *Function) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	var rest []*Function
	for i, f := range p.Functions {
		if i == 0 || f.Name == "" || f.Name != rest[len(rest)-1].Name {
			rest = append(rest, f)
			continue
		}
		if other := rest[len(rest)-1]; other.Code == nil || f.Code == nil || other.Version != f.Version || other.Code.Hash != f.Code.Hash {
			other.Code = nil
			other.Err = fmt.Errorf("its package defines it again, at %s:%d, and a lock cannot tell them apart", f.File, f.Line)
		}
	}
	p.Functions = rest
}

// compare compares all functions with what locks say of them.
func (r *Result) compare() {
	gone := map[string][]*code.Locked{}
	for _, p := range r.Packages {
		p.gone, p.kept = nil, nil
		for _, entry := range p.lock.entries {
			switch {
			case slices.ContainsFunc(p.Functions, func(f *Function) bool { return f.Name == entry.Name && !f.elsewhere() }):
			case p.ignores(entry.Name):
				p.kept = append(p.kept, entry)
			default:
				p.gone = append(p.gone, entry)
				gone[entry.Name] = append(gone[entry.Name], entry)
			}
		}
	}
	for f, p := range r.functionsOf() {
		var prior []*code.Locked
		for _, entry := range p.lock.entries {
			if entry.Name == f.Name && f.Name != "" {
				prior = append(prior, entry)
			}
		}
		if len(prior) == 0 && f.Code != nil {
			prior = gone[f.Name] // it came from another package, with its lock
		}
		if f.elsewhere() {
			prior = nil
		}
		f.decide(prior, r.config.Platform)
		if f.kind == agreed && !slices.Contains(p.lock.entries, f.entry) {
			f.kind = unlocked // here, though nothing is wrong with its code
		}
	}
}

// elsewhere says that another package, or another program, implements a function.
func (f *Function) elsewhere() bool { return errors.Is(f.Err, fingerprint.ErrNotImplemented) }

// ignores says that a file which build constraints leave out may define a
// function: its lock is for those who build that file.
func (p *Package) ignores(name string) bool {
	for _, file := range p.listed.Ignored {
		if file == code.LockFile {
			continue
		}
		content, err := os.ReadFile(filepath.Join(p.Dir, file))
		if err == nil && bytes.Contains(content, []byte(strconv.Quote(name))) {
			return true
		}
	}
	return false
}

// functions are the functions of all packages.
func (r *Result) functions() iter.Seq[*Function] {
	return func(yield func(*Function) bool) {
		for f := range r.functionsOf() {
			if !yield(f) {
				return
			}
		}
	}
}

// functionsOf are the functions of all packages, each with its package.
func (r *Result) functionsOf() iter.Seq2[*Function, *Package] {
	return func(yield func(*Function, *Package) bool) {
		for _, p := range r.Packages {
			for _, f := range p.Functions {
				if !yield(f, p) {
					return
				}
			}
		}
	}
}
