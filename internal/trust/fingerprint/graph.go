package fingerprint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// format is what the hash begins with: another one makes all fingerprints differ.
const format = "mops code 1"

// graph numbers declarations in the order in which a walk from the function
// comes to them. So it depends on who refers to whom, and not on names.
type graph struct {
	reach   *reach
	numbers map[*decl]int
	order   []*decl
	edges   map[*decl][]edge
}

// edge is why one declaration counts where another does.
type edge struct {
	label string // of a method its name, which decides which interfaces the type has
	to    *decl
}

// sum is the hash over all that counts.
func (r *reach) sum(root *decl) hashed {
	g := &graph{reach: r, numbers: map[*decl]int{}, edges: map[*decl][]edge{}}
	g.walk(root)
	var rest []*decl // what nothing refers to: it runs before main
	for d := range r.counted {
		rest = append(rest, d)
	}
	for _, d := range sorted(rest) {
		g.walk(d)
	}

	h := sha256.New()
	write(h, format, r.program.goMinor)
	for _, d := range g.order {
		h.Write(d.known.exact[:])
		number(h, len(g.edges[d]))
		for _, e := range g.edges[d] {
			write(h, e.label)
			number(h, g.numbers[e.to])
		}
	}
	for _, m := range r.modules {
		h.Write(m.sum[:])
	}
	for _, v := range g.order {
		if actions := r.inOrder(v); len(actions) > 1 {
			write(h, "before main")
			for _, d := range actions {
				number(h, g.numbers[d])
			}
		}
	}
	if r.varies() {
		write(h, "varies")
	}
	return hashed(h.Sum(nil))
}

func (g *graph) walk(d *decl) {
	if _, known := g.numbers[d]; known || !g.reach.counted[d] {
		return
	}
	g.numbers[d] = len(g.order)
	g.order = append(g.order, d)
	g.edges[d] = g.from(d)
	for _, e := range g.edges[d] {
		g.walk(e.to)
	}
}

// from are the edges from a declaration, in an order that everybody finds.
func (g *graph) from(d *decl) (all []edge) {
	for _, to := range d.known.refs {
		all = append(all, edge{"", to})
	}
	if to := g.reach.targets[d]; to != nil {
		all = append(all, edge{"body", to})
	}
	switch d.kind {
	case code.Type:
		for _, m := range g.reach.program.methods(d) {
			if g.reach.counted[m] {
				all = append(all, edge{m.object.Name(), m})
			}
		}
	case code.Var:
		for _, s := range sorted(g.reach.settersOf(d)) {
			all = append(all, edge{"set", s})
		}
	}
	return all
}

// sorted orders declarations by what they do; their names decide only where they
// do the same.
func sorted(list []*decl) []*decl {
	slices.SortFunc(list, func(a, b *decl) int {
		if c := bytes.Compare(a.known.exact[:], b.known.exact[:]); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return list
}

func number(h hash.Hash, n int) {
	var b [8]byte
	h.Write(binary.BigEndian.AppendUint64(b[:0], uint64(n)))
}

// String is the form in which fingerprints are kept: 128 bits are enough, since
// nobody gains by making two alike.
func (h hashed) String() string { return hex.EncodeToString(h[:16]) }

// brief tells a declaration from its other states, for people.
func (h hashed) brief() string { return hex.EncodeToString(h[:5]) }
