package lockfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// status is how a function and its lock stand to each other.
type status struct {
	kind    kind
	prior   []*code.Locked // what locks say of the function, of all sides of a merge
	against *code.Locked   // the one that it differs from
	entry   *code.Locked   // what its lock is to say; nil for nothing
}

type kind int

const (
	unlockable  kind = iota // and not locked
	agreed                  // the lock has its code, or accepts it
	unlocked                // no lock has it
	reversioned             // the lock has another version
	merged                  // both sides of a merge have it, and agree
	changed                 // its code is another, and its version is not
	lost                    // its code was locked, and cannot be followed any more
	declared                // changed, and a person declares that it computes the same
)

// decide compares a function with what locks say of it.
func (f *Function) decide(prior []*code.Locked, platform string) {
	f.status = status{prior: prior}
	same := slices.DeleteFunc(slices.Clone(prior), func(l *code.Locked) bool { return l.Version != f.Version })
	if f.Code == nil {
		if len(same) > 0 {
			// What it says no longer holds, and nobody can tell whether the code changed.
			f.kind, f.against, f.entry = lost, same[0], same[0]
		}
		return
	}
	f.entry = &code.Locked{Name: f.Name, Version: f.Version, Platform: platform, Fingerprint: *f.Code}
	switch {
	case len(prior) == 0:
		f.kind = unlocked
	case len(same) == 0:
		f.kind, f.against = reversioned, prior[0]
	default:
		f.kind = agreed
		known := asGood(f.Code.Hash, same)
		for _, l := range same {
			if !known[l.Hash] {
				f.kind, f.against = changed, l
				return
			}
		}
		if len(prior) > 1 {
			f.kind = merged
		}
		if len(same) == 1 {
			// As it is, with the places of its declarations: that keeps merges calm.
			f.entry = same[0]
			return
		}
		f.accept(same, code.Same{})
	}
}

// asGood are the fingerprints whose results are as good as those of hash, if all
// is true that locks declare.
func asGood(hash string, locks []*code.Locked) map[string]bool {
	known := map[string]bool{hash: true}
	for range locks { // one may lead to another
		for _, l := range locks {
			if !slices.ContainsFunc(hashes(l), func(h string) bool { return known[h] }) {
				continue
			}
			for _, h := range hashes(l) {
				known[h] = true
			}
		}
	}
	return known
}

func hashes(l *code.Locked) []string {
	all := []string{l.Hash}
	for _, s := range l.Same {
		all = append(all, s.Hash)
	}
	return all
}

// accept has the entry accept all that other locks have, and their own code for a
// reason. Without one it is the last that they give.
func (f *Function) accept(locks []*code.Locked, why code.Same) {
	var all []code.Same
	for _, l := range locks {
		all = append(all, l.Same...)
	}
	slices.SortStableFunc(all, func(a, b code.Same) int { return strings.Compare(a.Date, b.Date) })
	if why.Reason == "" && len(all) > 0 {
		why = all[len(all)-1]
	}
	f.entry.Same = nil
	for _, s := range all {
		if s.Hash != f.entry.Hash && !slices.Contains(f.entry.Same, s) {
			f.entry.Same = append(f.entry.Same, s)
		}
	}
	for _, l := range locks {
		if !f.entry.Accepts(l.Hash) {
			f.entry.Same = append(f.entry.Same, code.Same{Hash: l.Hash, Date: why.Date, Reason: why.Reason})
		}
	}
}

// All is the name that stands for all functions that changed.
const All = "all"

// Declare says that functions compute the same as before, or the same as other
// code: a name may have the hash of that behind "=". Only these functions are
// written then.
func (r *Result) Declare(names []string, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("say why the results are the same: whoever reads the lock later wants to know")
	}
	why := code.Same{Date: r.config.Now().Format("2006-01-02"), Reason: strings.TrimSpace(reason)}
	r.only = map[string]bool{}
	codes := map[string][]string{} // hashes by name
	for _, name := range names {
		if name, hash, other := strings.Cut(name, "="); other {
			codes[name] = append(codes[name], hash)
			continue
		}
		known, any := false, false
		for f := range r.functions() {
			if f.Name != name && name != All {
				continue
			}
			known = true
			if f.kind != changed {
				continue
			}
			any = true
			r.only[f.Name] = true
			f.kind = declared
			f.accept(f.sameVersion(), why)
		}
		switch {
		case !known && name != All:
			return fmt.Errorf("%s: these packages define no such function", name)
		case !any && name == All:
			return fmt.Errorf("no function has changed under its version: there is nothing to declare")
		case !any:
			return fmt.Errorf("%s has not changed under its version: there is nothing to declare (of results of other code, mops why says which: --same %s=CODE)", name, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(codes)) {
		for _, hash := range codes[name] {
			if err := r.declareCode(name, code.Same{Hash: hash, Date: why.Date, Reason: why.Reason}); err != nil {
				return err
			}
		}
	}
	return nil
}

// hashLength is that of a fingerprint. A shortened one would accept nothing.
const hashLength = 32

// declareCode says that a function computes the same as code that no lock has:
// that of somebody's branch, or of edits that nobody committed.
func (r *Result) declareCode(name string, why code.Same) error {
	if len(why.Hash) < hashLength || strings.ContainsFunc(why.Hash, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fmt.Errorf("--same %s=%s: write the code in full, as mops why and mops verify --changed say it", name, why.Hash)
	}
	known := false
	for f := range r.functions() {
		if f.Name != name {
			continue
		}
		switch known = true; {
		case f.Code == nil || f.entry == nil:
			return fmt.Errorf("%s cannot be locked: %w", name, f.Err)
		case f.entry.Accepts(why.Hash):
			return fmt.Errorf("the lock of %s accepts %s already: there is nothing to declare", name, why.Hash)
		}
		entry := *f.entry
		entry.Same = append(slices.Clone(entry.Same), why)
		f.entry = &entry
		r.only[name] = true
	}
	if !known {
		return fmt.Errorf("%s: these packages define no such function", name)
	}
	return nil
}

func (f *Function) sameVersion() (all []*code.Locked) {
	for _, l := range f.prior {
		if l.Version == f.Version {
			all = append(all, l)
		}
	}
	return all
}
