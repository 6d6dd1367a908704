package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// App is the tool's surroundings.
type App struct {
	Stdout io.Writer   // for programs: JSON, and bytes as they are
	Text   *TextWriter // for people; it ends in Stdout too
	Stderr io.Writer
	Lookup func(string) (string, bool) // of the environment
	Now    func() time.Time
	JSON   bool // is wanted, rather than text; YAML is made of it
	format format

	Client func(*rest.Config) (kubernetes.Interface, error) // of a cluster; nil: the real one
}

// TextWriter is standard output for people: whatever was stored, nothing of it
// acts upon the terminal, since each line is cleaned. It is buffered.
type TextWriter struct {
	Colour bool // it is a terminal that takes colours

	to      *bufio.Writer
	partial []byte
	style   func(line string) string // of what is clean; nil: none
}

// longestLine is how much of a line is held back until its end comes, in bytes.
const longestLine = 64 << 10

// NewTextWriter returns one whose lines end in to.
func NewTextWriter(to io.Writer) *TextWriter {
	return &TextWriter{to: bufio.NewWriterSize(to, longestLine)}
}

func (w *TextWriter) Write(p []byte) (int, error) {
	w.partial = append(w.partial, p...)
	for {
		line, rest, whole := bytes.Cut(w.partial, []byte("\n"))
		if !whole {
			break
		}
		w.emit(line, "\n")
		w.partial = rest
	}
	if len(w.partial) > longestLine {
		w.emit(w.partial, "")
		w.partial = nil
	}
	return len(p), nil // a failed write comes back from Flush
}

func (w *TextWriter) emit(line []byte, end string) {
	clean := text.Clean(string(text.LastState(line)))
	if w.style != nil {
		clean = w.style(clean)
	}
	w.to.WriteString(clean)
	w.to.WriteString(end)
}

// Flush writes all that was written so far.
func (w *TextWriter) Flush() error {
	w.emit(w.partial, "")
	w.partial = nil
	return w.to.Flush()
}

// PrintJSON writes one value, indented.
func (a *App) PrintJSON(v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("this cannot be written as JSON: %w", err)
	}
	_, err := a.Stdout.Write(EscapeControls(text.Bytes()))
	return err
}

// Print writes what programs get, or a few words for people. A write of these that
// fails comes back when the command ends.
func (a *App) Print(v any, format string, args ...any) error {
	if a.JSON {
		return a.PrintJSON(v)
	}
	fmt.Fprintf(a.Text, format, args...)
	return nil
}

// EscapeControls writes the control characters that JSON allows in strings, and
// terminals act upon, as \u escapes.
func EscapeControls(text []byte) []byte {
	odd := func(r rune) bool {
		return r > 0x7e && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
	}
	if !bytes.ContainsFunc(text, odd) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		if odd(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}
