// Package words makes names that people can say and tell apart, of bits: three
// words for a memo key, two for a run. It depends on nothing; memokey and those
// who start runs use it. The list of words is part of the store format.
package words

import (
	"encoding/binary"
	"slices"
	"strings"
)

// wordBits is how many bits one word stands for.
const wordBits = 10

// Three names a hash by its first 30 bits, such as "amber-kite-river". Sum must
// have 4 bytes or more.
func Three(sum []byte) string {
	bits := binary.BigEndian.Uint32(sum) >> 2
	return word(bits>>(2*wordBits)) + "-" + word(bits>>wordBits) + "-" + word(bits)
}

// word is the word for the lowest 10 bits.
func word(bits uint32) string { return list[bits%Count] }

// capitalised is a word as it stands in a run id.
func capitalised(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func known(word string) bool {
	_, ok := slices.BinarySearch(list[:], word)
	return ok
}
