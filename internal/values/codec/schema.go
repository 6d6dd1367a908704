package codec

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/values/schema"
)

// schemaOf is the graph of the parts that the fingerprint of a type leaves out.
func schemaOf(root *plan) schema.Graph {
	all := func(part) bool { return true }
	reached := reach(root, all)
	above := leading(reached)
	if !above[root] {
		return nil
	}
	g := grapher{alike: refine(reached, all), above: above, numbers: map[standing]int{}}
	g.node(root, false)
	return g.graph
}

// Whole is the graph of the whole type.
func (c *Codec) Whole() schema.Graph {
	g := grapher{whole: true, alike: map[*plan]string{}, numbers: map[standing]int{}}
	for p := range reach(c.root, func(part) bool { return true }) {
		g.alike[p] = fmt.Sprintf("%p", p) // two types that are built alike may have another order of fields
	}
	g.node(c.root, true)
	return g.graph
}

var durationType = reflect.TypeFor[time.Duration]()

// people adds to a node what fingerprints do not know.
func (p *plan) people(n *schema.Node) {
	if p.typ == durationType {
		n.Unit = schema.Duration
	}
	declared := slices.SortedFunc(slices.Values(p.fields), func(x, y field) int { return slices.Compare(x.index, y.index) })
	for _, f := range declared {
		n.Order = append(n.Order, f.name)
	}
}

// leading finds the types that have an omitzero field, directly or below.
func leading(reached map[*plan]bool) map[*plan]bool {
	above := map[*plan]bool{}
	for grown := true; grown; {
		grown = false
		for p := range reached {
			for part := range p.parts {
				if !above[p] && (part.omits || above[part.plan]) {
					above[p], grown = true, true
				}
			}
		}
	}
	return above
}

// grapher makes one node for all types that are built alike, so that such types
// have the same graph.
type grapher struct {
	whole   bool
	alike   map[*plan]string // a hash of all parts of a type
	above   map[*plan]bool
	numbers map[standing]int
	graph   schema.Graph
}

// standing tells a type below an omitzero field, all of whose parts count, from
// one above, where only parts count that lead to such a field.
type standing struct {
	alike string
	below bool
}

func (g *grapher) node(p *plan, below bool) int {
	at := standing{g.alike[p], below}
	if number, ok := g.numbers[at]; ok {
		return number
	}
	number := len(g.graph)
	g.numbers[at] = number
	kind := p.label
	if p.shared != nil {
		kind = "shared" // its value is a part
	}
	g.graph = append(g.graph, schema.Node{Kind: kind})
	parts := map[string]int{}
	for part := range p.parts {
		if below || part.omits || g.above[part.plan] {
			parts[part.name] = g.node(part.plan, below || part.omits)
		}
	}
	if len(parts) > 0 {
		g.graph[number].Parts = parts
	}
	if g.whole {
		p.people(&g.graph[number])
	}
	return number
}
