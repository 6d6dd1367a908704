// Package words makes names that people can say and tell apart, of bits: three
// words for a memo key, two for a run. It depends on nothing; memokey and those
// who start runs use it. The list of words is part of the store format. It also finds
// the word that somebody meant who mistyped it.
package words

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// wordBits is how many bits one word stands for.
const wordBits = 10

// Three names a hash by its first 30 bits, such as "amber-kite-river". Sum must
// have 4 bytes or more.
func Three(sum []byte) string { return string(AppendThree(nil, sum)) }

// AppendThree appends Three to text.
func AppendThree(text, sum []byte) []byte {
	bits := binary.BigEndian.Uint32(sum) >> 2
	text = append(append(text, word(bits>>(2*wordBits))...), '-')
	text = append(append(text, word(bits>>wordBits)...), '-')
	return append(text, word(bits)...)
}

// Of are the words in a memo URI, or in the path of a call.
func Of(memoURI string) string {
	words, _, _ := strings.Cut(memoURI[strings.LastIndexByte(memoURI, '/')+1:], ".")
	return words
}

// All are the words in order, for those who make the names elsewhere, as the script
// of a page does.
func All() []string { return slices.Clone(list[:]) }

// word is the word for the lowest 10 bits.
func word(bits uint32) string { return list[bits%Count] }

// capitalised is a word as it stands in a run id.
func capitalised(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// minuteLayout is the time in a run id: two digits of the year, month, day,
// hour and minute, in UTC.
const minuteLayout = "0601021504"

// NewRunID names a run that starts now. The random bits are those of the
// process, which differ from those of every other.
func NewRunID(now time.Time) string { return RunID(now, rand.Uint32()) }

// RunID names a run by its UTC minute and two words for the lowest 20 bits of
// random, such as "2611231412-SkirtBus". It names the run within one call's
// folder: two runs of one call that start in the same minute share an id once
// in a million.
func RunID(now time.Time, random uint32) string {
	return now.UTC().Format(minuteLayout) + "-" + capitalised(word(random>>wordBits)) + capitalised(word(random))
}

// NewProgramRunID names a run of a program that starts now, as NewRunID does a run of a
// call, but by three words: many programs of many people share a root.
func NewProgramRunID(now time.Time) string {
	return NewRunID(now) + capitalised(word(rand.Uint32()))
}

// Minute is the minute in which a run began, by its id; zero where that is none.
func Minute(runID string) time.Time {
	stamp, _, _ := strings.Cut(runID, "-")
	minute, _ := time.Parse(minuteLayout, stamp)
	return minute
}
