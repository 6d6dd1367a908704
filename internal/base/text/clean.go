package text

import (
	"bytes"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapes are the sequences that terminals act upon (ECMA-48, sections 5.3 to
// 5.6): control sequences, command strings, and the short ones.
var escapes = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])`)

// Clean makes one line of text safe to print on a terminal: escape sequences go,
// ends of lines become spaces, and other control characters, those that change
// the direction of writing, and bytes that are not UTF-8 become U+FFFD. Tabs stay.
func Clean(text string) string {
	if !strings.ContainsFunc(text, unsafe) && utf8.ValidString(text) {
		return text
	}
	text = escapes.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unsafe(r):
			return utf8.RuneError
		}
		return r
	}, text)
}

// CleanLines is Clean for text of several lines: their ends stay.
func CleanLines(text string) string {
	if !strings.Contains(text, "\n") {
		return Clean(text)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// LastState is what a terminal would show of a line that a program printed: of
// what a progress bar wrote over and over, the last state.
func LastState(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\r"))
	return line[bytes.LastIndexByte(line, '\r')+1:]
}

func unsafe(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
