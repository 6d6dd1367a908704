package worker

import (
	"iter"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Chain is a call and all calls that wait for it, innermost first. A call that
// stands in its own chain would wait for itself.
type Chain struct {
	parent *Chain
	link   string
}

// linkLength is how many hex digits of a memo key stand for a call in a chain:
// 96 bits, so that a chain of a thousand calls fits an environment variable.
const linkLength = 24

// Push returns the chain with one more call. The receiver may be nil.
func (c *Chain) Push(key memokey.Key) *Chain {
	return &Chain{parent: c, link: Link(key)}
}

// Link is what stands for a call in a chain.
func Link(key memokey.Key) string { return key.String()[:linkLength] }

// Contains reports whether a call is in the chain.
func (c *Chain) Contains(key memokey.Key) bool {
	link := Link(key)
	for ; c != nil; c = c.parent {
		if c.link == link {
			return true
		}
	}
	return false
}

// Innermost yields the links of the innermost calls, at most so many.
func (c *Chain) Innermost(most int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for ; c != nil && most > 0; c, most = c.parent, most-1 {
			if !yield(c.link) {
				return
			}
		}
	}
}

// Links is the chain, outermost first, for another process.
func (c *Chain) Links() []string {
	var links []string
	for ; c != nil; c = c.parent {
		links = append(links, c.link)
	}
	slices.Reverse(links)
	return links
}

// ChainOf is the inverse of Links.
func ChainOf(links []string) *Chain {
	var c *Chain
	for _, link := range links {
		c = &Chain{parent: c, link: link}
	}
	return c
}
