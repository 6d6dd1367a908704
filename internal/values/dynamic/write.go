package dynamic

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Options of [Write].
type Options struct {
	Indent string // before every line
	Full   bool   // shorten nothing
	Hint   string // what shows all of what was shortened; "" is "--full shows all"

	// Locate says where the bytes of a source are; "" where nobody knows. May be nil.
	Locate func(Source) string
}

// What is shown of a long value unless Full is set.
const (
	fewScalars    = 12  // elements of a list that stands in one line
	fewComposites = 6   // elements of a list that takes a line or more each
	fewEntries    = 100 // of a map
	shortText     = 240 // bytes of a string
	shortBytes    = 64  // twice the bytes of a byte string
	lineWidth     = 100
	mostLines     = 5000
	deepest       = 100 // what is nested deeper than this is never shown in full: lines would be all indentation
)

// Write writes a value as indented lines for people: the fields of structs and
// maps one to a line, lists of numbers and words in one line, other lists with
// a dash before each element. Nothing in it can act upon a terminal.
// It ends with ctx, and unless Full is set after some thousand lines, and says so.
func Write(ctx context.Context, to io.Writer, value any, options Options) {
	w := writer{to: to, Options: options, ended: ctx.Err}
	w.top(value)
	if w.lines > mostLines && !w.Full {
		io.WriteString(to, w.Indent+"… and more ("+w.hint()+")\n")
	}
}

type writer struct {
	Options
	to    io.Writer
	lines int
	ended func() error
}

func (w *writer) hint() string { return cmp.Or(w.Hint, "--full shows all") }

// stopped reports whether no more lines are to be written.
func (w *writer) stopped() bool {
	return w.lines > mostLines && !w.Full || w.lines%256 == 0 && w.ended() != nil
}

func (w *writer) line(indent, text string) {
	if w.lines++; w.lines <= mostLines || w.Full {
		io.WriteString(w.to, indent+text+"\n")
	}
}

func (w *writer) top(value any) {
	if m, ok := value.(Map); ok {
		w.entries(w.Indent, m)
	} else {
		w.labelled(w.Indent, "", value)
	}
}

// labelled writes "label value", with what does not fit into the line below it.
func (w *writer) labelled(indent, label string, value any) {
	deeper := indent + "  "
	if len(indent)-len(w.Indent) > 2*deepest {
		w.line(indent, label+Short(value, shortText))
		return
	}
	switch v := value.(type) {
	case Map:
		if len(v) == 0 {
			w.line(indent, label+"{}")
			return
		}
		w.line(indent, strings.TrimRight(cmp.Or(label, "-"), " "))
		w.entries(deeper, v)
	case []any:
		if line, ok := w.inline(v, lineWidth-len(indent)-len(label)); ok {
			w.line(indent, label+line)
			return
		}
		w.line(indent, label+text.Count(len(v), "element"))
		w.elements(deeper, v)
	case Object:
		w.wrapped(indent, label+"<"+text.Clean(v.Type)+"> ", v.Value)
	case Tagged:
		w.wrapped(indent, fmt.Sprintf("%stag %d: ", label, v.Number), v.Value)
	case Source:
		w.line(indent, label+sourceText(v))
		if w.Locate != nil {
			if at := w.Locate(v); at != "" {
				w.line(deeper, "at "+text.Clean(at))
			}
		}
	default:
		w.line(indent, label+w.scalar(value))
	}
}

// wrapped writes what stands behind a type or a tag.
func (w *writer) wrapped(indent, label string, value any) {
	if len(label) > lineWidth { // types within types
		w.line(indent, label)
		indent, label = indent+"  ", ""
	}
	w.labelled(indent, label, value)
}

func (w *writer) entries(indent string, m Map) {
	w.several(indent, len(m), fewEntries, "entry", func(i int) { w.labelled(indent, Key(m[i].Key)+": ", m[i].Value) })
}

func (w *writer) elements(indent string, list []any) {
	w.several(indent, len(list), fewComposites, "element", func(i int) { w.labelled(indent, "- ", list[i]) })
}

// several writes n values, or the first few.
func (w *writer) several(indent string, n, few int, what string, one func(i int)) {
	for i := range n {
		switch {
		case w.stopped():
			return
		case i == few && !w.Full:
			w.line(indent, fmt.Sprintf("… %s more of %s (%s)", text.Number(n-i), text.Count(n, what), w.hint()))
			return
		}
		one(i)
	}
}

// inline writes a list of scalars in one line, if that is what it is.
func (w *writer) inline(list []any, width int) (line string, ok bool) {
	parts := make([]string, 0, min(len(list), fewScalars+1))
	for i, element := range list {
		if composite(element) {
			return "", false
		}
		if i >= fewScalars && !w.Full {
			continue
		}
		parts = append(parts, w.scalar(element))
	}
	if !w.Full && len(list) > len(parts) {
		line = fmt.Sprintf("[%s, … %s more] (%s; %s)",
			strings.Join(parts, ", "), text.Number(len(list)-len(parts)), text.Count(len(list), "element"), w.hint())
	} else {
		line = "[" + strings.Join(parts, ", ") + "]"
	}
	tooWide := len(line) > max(width, 60) && strings.Contains(line, `"`)
	return line, !tooWide
}

func composite(value any) bool {
	switch v := value.(type) {
	case Map, []any, Object, Tagged, Source:
		return true
	case string:
		return len(v) > 40
	}
	return false
}

func (w *writer) scalar(value any) string {
	most := shortText
	if _, ok := value.([]byte); ok {
		most = shortBytes
	}
	if w.Full {
		most = math.MaxInt / 4 // it is reckoned with
	}
	shown := scalar(value, most)
	if v, ok := value.([]byte); ok && len(v) > 0 && (w.Full || len(v) <= most/2) {
		shown += " (" + text.Count(len(v), "byte") + ")"
	}
	return shown
}
