package code

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Change is a declaration that differs between two states of a function's code.
type Change struct {
	What   string // changed, new, or gone
	Before *Decl  // nil if it is new
	After  *Decl  // nil if it is gone
	short  string
}

// String is a change in a line: clean changed (clean.go:12).
func (c Change) String() string {
	at := c.After
	if at == nil {
		at = c.Before
	}
	switch {
	case at == nil:
		return c.short
	case c.What == "changed" && at.Version != "":
		return fmt.Sprintf("%s changed (%s, before %s)", c.short, at.Version, c.Before.Version)
	case at.Version != "":
		return fmt.Sprintf("%s is %s (%s)", c.short, c.What, at.Version)
	}
	verb := c.What
	if verb != "changed" {
		verb = "is " + verb
	}
	place := at.File
	if at.Line > 0 {
		place = fmt.Sprintf("%s:%d", at.File, at.Line)
	}
	return fmt.Sprintf("%s %s (%s)", c.short, verb, place)
}

// Subject is what changed, as a person who works on the package calls it.
func (c Change) Subject() string { return c.short }

// Both is a change with its places in both states, of which a word introduces
// the earlier: clean changed (clean.go:12, there clean.go:10).
func (c Change) Both(there string) string {
	if c.Before == nil {
		return c.String() // new, or of no declaration
	}
	was, is := c.Before.where(), ""
	if c.After != nil {
		is = c.After.where()
	}
	switch {
	case c.After == nil:
		return fmt.Sprintf("%s is gone (%s %s)", c.short, there, was)
	case was == "" || is == "" || was == is:
		return fmt.Sprintf("%s changed (%s)", c.short, cmp.Or(is, was))
	}
	return fmt.Sprintf("%s changed (%s, %s %s)", c.short, is, there, was)
}

// Named names what changed, in a line: so many changes at most.
func Named(changes []Change, most int) string {
	var lines []string
	for _, c := range changes[:min(len(changes), most)] {
		lines = append(lines, c.String())
	}
	if more := len(changes) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, ", ")
}

// Diff names what differs between two states of a function's code: nothing if
// their hashes are equal, and something if they are not. A declaration that has
// got another name or place is not named for that.
func Diff(before, after *Fingerprint) []Change {
	if before.Hash == after.Hash {
		return nil
	}
	old, now := map[string][]Decl{}, map[string][]Decl{}
	for _, d := range before.Decls {
		old[d.key()] = append(old[d.key()], d)
	}
	for _, d := range after.Decls {
		now[d.key()] = append(now[d.key()], d)
	}
	var changes []Change
	for key, list := range old {
		// Several init functions have one name: those that are alike are the same.
		was, is := without(list, now[key]), without(now[key], list)
		for i := range max(len(was), len(is)) {
			c := Change{What: "changed"}
			if i < len(was) {
				c.Before = &was[i]
			} else {
				c.What = "new"
			}
			if i < len(is) {
				c.After = &is[i]
			} else {
				c.What = "gone"
			}
			changes = append(changes, c)
		}
	}
	for key, list := range now {
		if _, known := old[key]; !known {
			for _, d := range list {
				changes = append(changes, Change{What: "new", After: &d})
			}
		}
	}
	changes = unmoved(changes)
	for i, c := range changes {
		d := c.After
		if d == nil {
			d = c.Before
		}
		changes[i].short = d.short(after.Package)
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.String(), b.String()) })
	if len(changes) == 0 {
		changes = append(changes, Change{What: "changed", short: "which declaration uses which changed"})
	}
	return changes
}

// short is a name as a person who works on a package has it.
func (d Decl) short(seenFrom string) string {
	if d.Kind == Order {
		return "the order of what changes " + Decl{Kind: Var, Name: d.Name}.short(seenFrom) + " before main"
	}
	if rest, ok := strings.CutPrefix(d.Name, seenFrom); ok && strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/") && d.Kind == File {
		return rest[1:]
	}
	if d.Kind == File || d.Kind == Module || d.Kind == Import {
		return d.Name
	}
	return path.Base(d.Name)
}

// what is a declaration wherever it stands, under whatever name.
func (d *Decl) what() string { return string(d.Kind) + d.Hash }

func (d Decl) key() string { return string(d.Kind) + " " + d.Name }

// without are the declarations of a list that another has not.
func without(list, other []Decl) (rest []Decl) {
	other = slices.Clone(other)
	for _, d := range list {
		if i := slices.IndexFunc(other, func(o Decl) bool { return o.Hash == d.Hash }); i >= 0 {
			other = slices.Delete(other, i, i+1)
			continue
		}
		rest = append(rest, d)
	}
	return rest
}

// unmoved leaves out what is gone in one place and new in another.
func unmoved(changes []Change) []Change {
	gone := map[string][]int{}
	for i, c := range changes {
		if c.What == "gone" {
			gone[c.Before.what()] = append(gone[c.Before.what()], i)
		}
	}
	moved := map[int]bool{}
	for i, c := range changes {
		if c.What != "new" {
			continue
		}
		key := c.After.what()
		if from := gone[key]; len(from) > 0 {
			moved[i], moved[from[0]] = true, true
			gone[key] = from[1:]
		}
	}
	var rest []Change
	for i, c := range changes {
		if !moved[i] {
			rest = append(rest, c)
		}
	}
	return rest
}
