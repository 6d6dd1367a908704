package progress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLines(t *testing.T) {
	for _, test := range []struct {
		name   string
		chunks []string
		want   string
	}{
		{"whole lines", []string{"one\ntwo\n"}, "[f a] one\n[f a] two\n"},
		{"pieces", []string{"o", "ne\nt", "w", "o"}, "[f a] one\n[f a] two\n"},
		{"an empty line", []string{"one\n\ntwo\n"}, "[f a] one\n[f a]\n[f a] two\n"},
		{"Windows", []string{"one\r", "\ntwo\r\n"}, "[f a] one\n[f a] two\n"},
		{"a progress bar", []string{"10%\r20%\r", "100%\n"}, "[f a] 100%\n"},
		{"escape sequences", []string{"\x1b[31mred\x1b[0m \x07\n"}, "[f a] red \ufffd\n"},
		{"nothing", []string{"", ""}, ""},
	} {
		var out bytes.Buffer
		lines := NewLines(&out, "f a", false)
		for _, chunk := range test.chunks {
			if n, err := io.WriteString(lines, chunk); n != len(chunk) || err != nil {
				t.Errorf("%s: %d, %v", test.name, n, err)
			}
		}
		if err := lines.Close(); err != nil || out.String() != test.want {
			t.Errorf("%s: got %q, want %q", test.name, out.String(), test.want)
		}
		if err := lines.Close(); err != nil || out.String() != test.want {
			t.Errorf("%s: closed twice: got %q", test.name, out.String())
		}
	}
}

func TestLinesColour(t *testing.T) {
	var out bytes.Buffer
	fmt.Fprintln(NewLines(&out, "f\x1b[2J", true), "x")
	if got := out.String(); !strings.HasPrefix(got, "\x1b[") || !strings.HasSuffix(got, "m[f]\x1b[0m x\n") {
		t.Errorf("got %q", got)
	}
	if first := colorOf("a"); colorOf("a") != first {
		t.Error("the colour of a label changes")
	}
}

// A line without end comes in pieces, none of them torn inside a character, and
// little of it is kept.
func TestLongLines(t *testing.T) {
	whole := strings.Repeat("abcdefg日本語é", 20_000) // 360 KB
	for _, size := range []int{1000, 64<<10 + 1, len(whole)} {
		var out bytes.Buffer
		lines := NewLines(&out, "f", false)
		for rest := whole; rest != ""; {
			n := min(size, len(rest))
			io.WriteString(lines, rest[:n])
			rest = rest[n:]
			if cap(lines.partial) > 2*maxLine {
				t.Fatalf("keeps %d bytes", cap(lines.partial))
			}
		}
		io.WriteString(lines, "\nnext\n")
		lines.Close()
		var again strings.Builder
		for line := range strings.Lines(out.String()) {
			text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "[f] ")
			if !ok || len(text) > maxLine || !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
				t.Fatalf("a line of %d bytes, %.20q…", len(line), line)
			}
			again.WriteString(text)
		}
		if again.String() != whole+"next" {
			t.Errorf("chunks of %d: the text has changed", size)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken pipe")

func TestLinesReportFailures(t *testing.T) {
	lines := NewLines(broken{}, "f", false)
	if _, err := io.WriteString(lines, "kept"); err != nil {
		t.Errorf("nothing was written yet: %v", err)
	}
	if _, err := io.WriteString(lines, "\n"); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
