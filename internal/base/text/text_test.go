package text

import (
	"math"
	"strings"
	"testing"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 999: "999 bytes", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB", 1 << 40: "1.1 TB", math.MaxInt64: "9.2 EB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		Number(1234567): "1,234,567", Number(12): "12", Number(-123456): "-123,456", Number(int64(1000)): "1,000",
		Hours(0): "0", Hours(-1): "0", Hours(math.NaN()): "0", Hours(0.0004): "< 0.001", Hours(0.0316): "0.032", Hours(0.25): "0.25", Hours(12.34): "12.3", Hours(1234.5): "1,235",
		Hours(math.Inf(1)): "1,000,000,000,000,000", Money(0): "0", Money(0.001): "< 0.01", Money(2.625): "2.62", Money(1234.5): "1,235",
		Count(1, "call"): "1 call", Count(0, "call"): "0 calls", Count(1234, "entry"): "1,234 entries", Count(2, "day"): "2 days",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Columns are aligned, cells are cleaned, and only the last one has several lines.
func TestTable(t *testing.T) {
	rows := [][]string{{"name", "n", "", "what"}, {"ünï", "1,234", "", "one\ntwo"}, {"\x1b[2Jb", "5", "", "\x07"}, {"less"}}
	var out strings.Builder
	Table(&out, "  ", WithoutEmpty(rows), " >")
	want := "  name      n  what\n  ünï   1,234  one\n               two\n  b         5  \uFFFD\n  less\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWidths(t *testing.T) {
	if got := Columns("a日"); got != 3 {
		t.Errorf("%d columns", got)
	}
	for got, want := range map[string]string{
		Head("a日b", 2): "a", Head("a日b", 3): "a日", Head("ab", 9): "ab",
		Cut("abcdef", 3): "abc...", Cut("abc", 3): "abc", CutMiddle("abcdefghijk", 9): "abc...ijk", CutMiddle("abc", 9): "abc",
		FirstLine(" \n one \ntwo"): "one", strings.Join(Wrap("one two three\nfour", 7), "|"): "one two|three|four",
		string(LastState([]byte("10%\r20%\r"))): "20%",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
