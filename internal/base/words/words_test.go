package words

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The list is part of the store format: this hash may never change.
const listHash = "7facba6cb7b036e3f5ed2c4e46e6da934d1ab4c072ccb396f42ebb2e43e478b5"

func TestListIsGolden(t *testing.T) {
	sum := sha256.Sum256([]byte(strings.Join(list[:], "\n")))
	if got := hex.EncodeToString(sum[:]); got != listHash {
		t.Errorf("the word list changed, and with it the names of all stored calls: hash %s, want %s", got, listHash)
	}
}

func TestListIsDistinctAndPlain(t *testing.T) {
	plain := regexp.MustCompile(`^[a-z]{3,7}$`)
	for i, word := range list {
		if !plain.MatchString(word) {
			t.Errorf("word %d: %q is not 3 to 7 lower-case letters", i, word)
		}
	}
	if !slices.IsSorted(list[:]) || len(slices.Compact(slices.Clone(list[:]))) != Count {
		t.Error("the words are not distinct and in order")
	}
}

func TestThree(t *testing.T) {
	for _, test := range []struct{ sum, want string }{
		{"00000000", list[0] + "-" + list[0] + "-" + list[0]},
		{"ffffffff", list[1023] + "-" + list[1023] + "-" + list[1023]},
		{"00400000", list[1] + "-" + list[0] + "-" + list[0]},
		{"00001000", list[0] + "-" + list[1] + "-" + list[0]},
		{"00000004", list[0] + "-" + list[0] + "-" + list[1]},
		{"00000003", list[0] + "-" + list[0] + "-" + list[0]}, // the last two bits are not used
		{"00000004ffffffff", list[0] + "-" + list[0] + "-" + list[1]},
	} {
		sum, err := hex.DecodeString(test.sum)
		if err != nil {
			t.Fatal(err)
		}
		if got := Three(sum); got != test.want {
			t.Errorf("Three(%s) = %s, want %s", test.sum, got, test.want)
		}
	}
}
