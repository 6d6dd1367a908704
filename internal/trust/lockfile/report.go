package lockfile

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// mostNamed is how many changes a line names.
const mostNamed = 10

// Accepted says that the lock has the function's code, or accepts it.
func (f *Function) Accepted() bool { return f.kind == agreed || f.kind == merged }

// Locked is what the lock has of the function, or nil.
func (f *Function) Locked() *code.Locked {
	switch {
	case f.against != nil:
		return f.against
	case len(f.prior) > 0:
		return f.prior[0]
	}
	return nil
}

// Changes are what changed of a function's code since it was locked.
func (f *Function) Changes() (all []string) {
	if f.Code == nil || f.against == nil || f.kind == lost {
		return nil
	}
	for _, c := range code.Diff(&f.against.Fingerprint, f.Code) {
		all = append(all, c.String())
	}
	return all
}

func (f *Function) id() string    { return cmp.Or(f.Name, "a function") + "@" + cmp.Or(f.Version, "?") }
func (f *Function) place() string { return fmt.Sprintf("%s:%d", f.File, f.Line) }

// refusal says why the lock of a function cannot be written, or "".
func (f *Function) refusal() string {
	switch f.kind {
	case changed:
		text := code.Named(code.Diff(&f.against.Fingerprint, f.Code), mostNamed)
		return fmt.Sprintf("%s: %s: set another Version, or declare it equal: mops-lock --same %s \"why\"", f.id(), text, f.Name)
	case lost:
		return fmt.Sprintf("%s: its code was locked and cannot be followed any more (%s): %v: set another Version", f.id(), f.place(), f.Err)
	}
	return ""
}

// Refusals are why nothing can be written: a line each.
func (r *Result) Refusals() (lines []string) {
	for _, p := range r.Packages {
		switch {
		case !r.writes(p):
			continue
		case p.lock.foreign:
			lines = append(lines, r.path(p.lock.path)+" is no file that mops-lock wrote: remove it, or give it another name")
			continue
		case p.lock.newer:
			lines = append(lines, r.path(p.lock.path)+": "+code.ErrNewer.Error())
			continue
		}
		for _, f := range p.Functions {
			if text := f.refusal(); text != "" && r.writesFunction(p, f) {
				lines = append(lines, text)
			}
		}
	}
	return lines
}

// Problems are what keeps locks and code from agreeing: a line each. Calls that
// are missing are problems, too, and what makes a function impure: a lock does not
// help there.
func (r *Result) Problems() (lines []string) {
	for _, p := range r.Packages {
		lock := r.path(p.lock.path)
		switch {
		case p.lock.foreign:
			lines = append(lines, lock+" is no file that mops-lock wrote: remove it, or give it another name")
		case p.lock.newer:
			lines = append(lines, lock+": "+code.ErrNewer.Error())
			continue
		case p.lock.err != nil:
			lines = append(lines, fmt.Sprintf("%s: %v: run mops-lock", lock, p.lock.err))
		case p.lock.conflict:
			lines = append(lines, lock+" has the marks of a merge conflict: run mops-lock, which reads both sides")
		}
		for _, f := range p.Functions {
			if text := f.problem(p); text != "" {
				lines = append(lines, text)
			}
			for _, name := range f.Missing {
				lines = append(lines, fmt.Sprintf("%s calls %s, and its Calls does not name it (%s): a new version of that would not count", f.id(), name, f.place()))
			}
			lines = append(lines, f.Impure...)
		}
		for _, entry := range p.gone {
			lines = append(lines, fmt.Sprintf("%s@%s is locked in %s, and the package does not define it: run mops-lock", entry.Name, entry.Version, lock))
		}
	}
	return lines
}

func (f *Function) problem(p *Package) string {
	switch f.kind {
	case unlocked:
		if p.lock.err != nil {
			return "" // it may have been, which nobody can read
		}
		return fmt.Sprintf("%s (%s) is not locked: run mops-lock", f.id(), f.place())
	case reversioned:
		return fmt.Sprintf("%s (%s) is locked at version %s: run mops-lock", f.id(), f.place(), f.against.Version)
	}
	return f.refusal()
}

// Warnings are what cannot be locked, and why: a line each. It fails nobody.
func (r *Result) Warnings() (lines []string) {
	for f := range r.functions() {
		if f.kind == unlockable && f.Err != nil && !f.elsewhere() {
			lines = append(lines, fmt.Sprintf("%s (%s) cannot be locked: %v", cmp.Or(f.Name, "a function"), f.place(), f.Err))
		}
	}
	return lines
}

// Differences are what writing would do, and all that changed: for people.
func (r *Result) Differences() (lines []string) {
	for _, p := range r.Packages {
		for _, f := range p.Functions {
			text := ""
			switch f.kind {
			case changed:
				text = "changed, and its Version did not"
			case lost:
				text = "was locked, and cannot be followed any more: " + f.Err.Error()
			case unlocked:
				text = "new"
			case reversioned:
				text = "before version " + f.against.Version
			}
			if text == "" {
				continue
			}
			lines = append(lines, f.id()+": "+text)
			for _, change := range f.Changes() {
				lines = append(lines, "  "+change)
			}
		}
		for _, entry := range p.gone {
			lines = append(lines, fmt.Sprintf("%s@%s: gone", entry.Name, entry.Version))
		}
	}
	return lines
}

// path is a path as people have it: from the folder where they are.
func (r *Result) path(path string) string {
	base, err := filepath.Abs(r.config.Dir)
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(base, path); err == nil && !strings.HasPrefix(short, "..") {
		return short
	}
	return path
}
