package progress

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain, ünïcode, 日本\t!":       "plain, ünïcode, 日本\t!",
		"\x1b[31mred\x1b[0m":          "red",
		"\x1b]0;title\x07after":       "after",
		"\x1b]8;;http://x\x1b\\link":  "link",
		"\x1b]0;never ends":           "0;never ends",
		"\x1b[2J\x1b[Hgone":           "gone",
		"\x1bcreset":                  "reset",
		"a\x00b\x07c\x7fd":            "a\ufffdb\ufffdc\ufffdd",
		"c1 \u009b31m":                "c1 \ufffd31m",
		"two\nlines\rthree":           "two lines three",
		"not UTF-8 \xff\x9b1m":        "not UTF-8 \ufffd\ufffd1m",
		"turned \u202ereversed\u2066": "turned \ufffdreversed\ufffd",
		"\x1b":                        "\ufffd",
		"\x1b[31":                     "31",
		"nested \x1b[\x1b[31m2J":      "nested 2J",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[\x1b[31m2J\x1b]x\x07\u009b")
	f.Fuzz(func(t *testing.T, text string) {
		got := Clean(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r != '\t' && unicode.IsControl(r) }) {
			t.Errorf("%q became %q", text, got)
		}
		if again := Clean(got); again != got {
			t.Errorf("%q, cleaned again, is %q", got, again)
		}
	})
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                "0 s",
		0:                           "0 s",
		900 * time.Microsecond:      "0 ms",
		350 * time.Millisecond:      "350 ms",
		time.Second:                 "1 s",
		3190 * time.Millisecond:     "3.1 s",
		9999 * time.Millisecond:     "9.9 s",
		42900 * time.Millisecond:    "42 s",
		80 * time.Second:            "1m20s",
		2*time.Hour + 5*time.Minute: "2h05m",
		76 * time.Hour:              "3d04h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: got %q, want %q", d, got, want)
		}
	}
}

func TestLabel(t *testing.T) {
	for _, test := range [][3]string{
		{"forecast/train", "file:///r/mops1/p/forecast/train@0/amber-kite-river.a1b2c3", "forecast/train amber-kite-river"},
		{"f", "amber-kite-river.x", "f amber-kite-river"},
		{"f", "", "f"},
		{"f", "mem://r/", "f"},
		{"f\x1b[2J", "a\x07.b", "f a\ufffd"},
	} {
		if got := Label(test[0], test[1]); got != test[2] {
			t.Errorf("%q %q: got %q", test[0], test[1], got)
		}
	}
}

// The estimate takes the hits of a warm start for what they are.
func TestLeft(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 12, 0, 0, time.UTC)
	began := func(ago time.Duration) Function {
		return Function{firstMiss: now.Add(-ago), LastEnd: now}
	}
	all := began(100 * time.Second) // all started, most of them hits: 100 of 10,000 misses took 100 s
	all.Counts = Counts{Started: 100_000, Hits: 90_000, Computed: 100, Running: 10, Waiting: 9_890}
	if left, ok := all.left(now); !ok || left != 9_900*time.Second {
		t.Errorf("all started: %v, %v", left, ok)
	}
	some := began(100 * time.Second) // every other a hit: 400 of the 800 left will be too
	some.Counts = Counts{Expected: 1000, Started: 210, Hits: 105, Computed: 100, Running: 5}
	if left, ok := some.left(now); !ok || left != 400*time.Second {
		t.Errorf("some started: %v, %v", left, ok)
	}
	if left, ok := some.left(now.Add(10 * time.Second)); !ok || left != 390*time.Second {
		t.Errorf("ten seconds later: %v, %v", left, ok)
	}
	if left, ok := some.left(now.Add(time.Hour)); ok {
		t.Errorf("long past its estimate: %v", left)
	}
	young := began(time.Second)
	young.Counts = some.Counts
	if left, ok := young.left(now); ok {
		t.Errorf("after a second: %v", left)
	}
}

func TestCleanLines(t *testing.T) {
	for text, want := range map[string]string{
		"one \x1b[31mred\x1b[0m": "one red",
		"a\n\x1b[2Jb\n\x07":      "a\nb\n\uFFFD",
		"a\n":                    "a\n",
	} {
		if got := CleanLines(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
