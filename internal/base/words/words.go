// Package words makes names that people can say and tell apart, of bits: three
// words for a memo key, two for a run. It depends on nothing; memokey and those
// who start runs use it. The list of words is part of the store format.
package words

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// wordBits is how many bits one word stands for.
const wordBits = 10

// Three names a hash by its first 30 bits, such as "amber-kite-river". Sum must
// have 4 bytes or more.
func Three(sum []byte) string {
	bits := binary.BigEndian.Uint32(sum) >> 2
	return word(bits>>(2*wordBits)) + "-" + word(bits>>wordBits) + "-" + word(bits)
}

// Of are the words in a memo URI, or in the path of a call.
func Of(memoURI string) string {
	words, _, _ := strings.Cut(memoURI[strings.LastIndexByte(memoURI, '/')+1:], ".")
	return words
}

// word is the word for the lowest 10 bits.
func word(bits uint32) string { return list[bits%Count] }

// capitalised is a word as it stands in a run id.
func capitalised(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

func known(word string) bool {
	_, ok := slices.BinarySearch(list[:], word)
	return ok
}

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

// ParseRunID is the inverse of [RunID]: the minute, in UTC, and the two words
// in lower case. Years are those of the 21st century.
func ParseRunID(id string) (minute time.Time, words [2]string, err error) {
	wrong := func(why string) (time.Time, [2]string, error) {
		return time.Time{}, [2]string{}, fmt.Errorf("%q is not a run id: %s; a run id looks like 2611231412-SkirtBus", id, why)
	}
	stamp, names, ok := strings.Cut(id, "-")
	if !ok {
		return wrong("it has no '-'")
	}
	// time.Parse would take 69 to 99 for the 20th century.
	minute, err = time.Parse("20"+minuteLayout, "20"+stamp)
	if err != nil || len(stamp) != len(minuteLayout) {
		return wrong("what stands before the '-' is not a minute (yyMMddHHmm)")
	}
	second := 1 + strings.IndexFunc(names[min(1, len(names)):], func(r rune) bool { return 'A' <= r && r <= 'Z' })
	if second == 0 {
		return wrong("two words must follow the '-'")
	}
	words = [2]string{strings.ToLower(names[:second]), strings.ToLower(names[second:])}
	for i, name := range []string{names[:second], names[second:]} {
		if !known(words[i]) || name != capitalised(words[i]) {
			return wrong(fmt.Sprintf("%q is not a word that run ids are made of", name))
		}
	}
	return minute, words, nil
}
