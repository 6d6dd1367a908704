package text

import (
	"strings"
	"testing"
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
