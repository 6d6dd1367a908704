package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// fingerprint hashes the structure of a type. Types may contain themselves, and
// two types that are built alike must count as one, so it refines: each round
// hashes every type with the hashes of its parts from the round before, until a
// round tells no more types apart (partition refinement, as for minimal
// automata). The set of all hashes is a part of the result: it makes types with
// equal fingerprints alike to any depth.
func fingerprint(root *plan) string {
	reached := map[*plan]bool{root: true}
	reach(root, reached)
	hashes := map[*plan]string{}
	for p := range reached {
		hashes[p] = p.label
	}
	for classes := 0; ; {
		next := make(map[*plan]string, len(hashes))
		for p := range hashes {
			next[p] = describe(p, hashes)
		}
		hashes = next
		distinct := slices.Compact(slices.Sorted(maps.Values(hashes)))
		if len(distinct) == classes {
			return hash(append([]string{hashes[root]}, distinct...)...)
		}
		classes = len(distinct)
	}
}

// reach finds the plans that the fingerprint depends on.
func reach(p *plan, reached map[*plan]bool) {
	for child := range p.counted {
		if !reached[child] {
			reached[child] = true
			reach(child, reached)
		}
	}
}

// counted yields the parts of a type that its fingerprint depends on, each with
// its name among them. An omitzero field is none, so that one may be added.
func (p *plan) counted(yield func(child *plan, name string) bool) {
	if p.key != nil && !yield(p.key, "key") {
		return
	}
	if p.elem != nil && !yield(p.elem, "elem") {
		return
	}
	for _, f := range p.fields {
		name := "field " + f.name
		if f.omitEmpty {
			name = "omitempty " + name
		}
		if !f.omitZero && !yield(f.plan, name) {
			return
		}
	}
	for _, i := range p.impls {
		if !yield(i.plan, "type "+i.name) {
			return
		}
	}
}

func describe(p *plan, hashes map[*plan]string) string {
	parts := []string{p.label}
	for child, name := range p.counted {
		parts = append(parts, name, hashes[child])
	}
	return hash(parts...)
}

func hash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
