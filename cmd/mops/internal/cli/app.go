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
	JSON   bool // is wanted, rather than text

	Client func(*rest.Config) (kubernetes.Interface, error) // of a cluster; nil: the real one
}

// TextWriter is standard output for people: whatever was stored, nothing of it
// acts upon the terminal, since each line is cleaned. It is buffered.
type TextWriter struct {
	to      *bufio.Writer
	partial []byte
}

// longestLine is how much of a line is held back until its end comes, in bytes.
const longestLine = 64 << 10

// NewTextWriter returns one whose lines end in to.
func NewTextWriter(to io.Writer) *TextWriter {
	return &TextWriter{to: bufio.NewWriterSize(to, longestLine)}
}

func (w *TextWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			w.partial = append(w.partial, rest...)
			if len(w.partial) > longestLine {
				w.emit("")
			}
			break
		}
		w.partial = append(w.partial, rest[:end]...)
		w.emit("\n")
		rest = rest[end+1:]
	}
	return len(p), nil // a failed write comes back from Flush
}

// emit writes what is held back.
func (w *TextWriter) emit(end string) {
	w.to.WriteString(text.Clean(string(text.LastState(w.partial))))
	w.to.WriteString(end)
	w.partial = w.partial[:0]
}

// Flush writes all that was written so far.
func (w *TextWriter) Flush() error {
	if len(w.partial) > 0 {
		w.emit("")
	}
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
