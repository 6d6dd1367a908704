package worker

import (
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Chain is a call and all calls that wait for it, outermost first, each as its
// Link. A call that stands in its own chain would wait for itself.
type Chain []string

// linkLength is how many hex digits of a memo key stand for a call in a chain:
// 96 bits, so that a chain of a thousand calls fits an environment variable.
const linkLength = 24

// Link is what stands for a call in a chain.
func Link(key memokey.Key) string { return key.String()[:linkLength] }

// Push returns the chain with one more call.
func (c Chain) Push(key memokey.Key) Chain { return append(slices.Clip(c), Link(key)) }

// Contains reports whether a call is in the chain.
func (c Chain) Contains(key memokey.Key) bool { return slices.Contains(c, Link(key)) }

// Innermost is the end of the chain: the innermost calls, at most so many.
func (c Chain) Innermost(most int) Chain { return c[max(len(c)-most, 0):] }
