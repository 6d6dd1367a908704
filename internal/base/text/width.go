package text

import (
	"strings"
	"unicode/utf8"
)

// Columns is how many columns of a terminal a text takes at most: what is not
// ASCII is taken to be wide, which errs to the safe side.
func Columns(text string) (n int) {
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	return 2
}

// Head is as much of text as fits into so many columns.
func Head(text string, room int) string {
	for i, r := range text {
		if room -= runeColumns(r); room < 0 {
			return text[:i]
		}
	}
	return text
}

// Cut is text, or its first characters where it is longer.
func Cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return text
}

// CutMiddle is text, or its beginning and its end where it is longer.
func CutMiddle(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	half := (most - 3) / 2
	return string(runes[:half]) + "..." + string(runes[len(runes)-half:])
}

// FirstLine is the first line of text that says something.
func FirstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), "\n")
	return strings.TrimRight(line, " \t\r")
}

// Wrap breaks a text into lines of at most so many characters, where it has spaces.
func Wrap(text string, width int) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		current := ""
		for word := range strings.FieldsSeq(line) {
			if current != "" && len([]rune(current))+1+len([]rune(word)) > width {
				lines = append(lines, current)
				current = ""
			}
			if current != "" {
				current += " "
			}
			current += word
		}
		if current != "" {
			lines = append(lines, current)
		}
	}
	return lines
}
