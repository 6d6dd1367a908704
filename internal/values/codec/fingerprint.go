package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
)

// fingerprint hashes the structure of a type. Types may contain themselves, and
// two types that are built alike must get the same fingerprint. So it refines:
// each round hashes every type with its parts' hashes from the round before,
// until a round tells no more types apart (partition refinement, as in
// minimising automata). The set of all hashes is a part of the result: it makes
// types with equal fingerprints alike to any depth. An omitzero field does not
// count, so that one may be added; the schema describes such fields.
func fingerprint(root *plan) string {
	counted := func(p part) bool { return !p.omits && !p.apart }
	hashes := refine(reach(root, counted), counted)
	distinct := slices.Compact(slices.Sorted(maps.Values(hashes)))
	return hash(append([]string{hashes[root]}, distinct...)...)
}

// reach finds a type and all its parts that count, to any depth.
func reach(root *plan, counts func(part) bool) map[*plan]bool {
	reached := map[*plan]bool{root: true}
	for next := []*plan{root}; len(next) > 0; {
		p := next[len(next)-1]
		next = next[:len(next)-1]
		for part := range p.parts {
			if counts(part) && !reached[part.plan] {
				reached[part.plan] = true
				next = append(next, part.plan)
			}
		}
	}
	return reached
}

// refine gives types that are built alike one hash, as far as the parts count.
func refine(reached map[*plan]bool, counts func(part) bool) map[*plan]string {
	hashes := map[*plan]string{}
	for p := range reached {
		hashes[p] = p.label
	}
	for classes := 0; ; {
		next := make(map[*plan]string, len(hashes))
		for p := range hashes {
			next[p] = describe(p, hashes, counts)
		}
		hashes = next
		distinct := slices.Compact(slices.Sorted(maps.Values(hashes)))
		if len(distinct) == classes {
			return hashes
		}
		classes = len(distinct)
	}
}

func describe(p *plan, hashes map[*plan]string, counts func(part) bool) string {
	parts := []string{p.label}
	for part := range p.parts {
		if counts(part) {
			parts = append(parts, part.name, hashes[part.plan])
		}
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
