package progress

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"regexp"
	"sync"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// maxLine is the longest line in bytes; longer ones come in pieces.
const maxLine = 64 << 10

// Lines writes what a worker prints, each line with a prefix that says whose it
// is. Only whole lines are written, so that the lines of several workers do not
// mix; they are cleaned. It is safe for concurrent use and keeps at most one
// line of 64 KiB.
type Lines struct {
	prefix string

	mu      sync.Mutex
	to      io.Writer
	partial []byte
}

// isLabelled finds the prefix of a call, as Label makes it.
var isLabelled = regexp.MustCompile(`^\[[a-z0-9._/-]+ [a-z]+-[a-z]+-[a-z]+\]`)

// NewLines prefixes lines with [label], in a colour of its own if color is set.
func NewLines(to io.Writer, label string, color bool) *Lines {
	prefix := "[" + text.Clean(label) + "]"
	if color {
		prefix = colorOf(label) + prefix + plain
	}
	return &Lines{prefix: prefix, to: to}
}

// colorOf is one of ten colours, by the label. Red is for failures.
func colorOf(label string) string {
	hash := fnv.New32a()
	io.WriteString(hash, label)
	codes := [...]int{32, 33, 34, 35, 36, 92, 93, 94, 95, 96}
	return fmt.Sprintf("\x1b[%dm", codes[hash.Sum32()%uint32(len(codes))])
}

// Write takes a chunk. It keeps the beginning of a line until its end comes.
func (l *Lines) Write(chunk []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := append(l.partial, chunk...)
	var out bytes.Buffer
	for {
		line, rest, whole := bytes.Cut(left, []byte("\n"))
		if len(line) > maxLine {
			piece := pieceOf(line[:maxLine])
			line, rest, whole = line[:piece], left[piece:], true
		}
		if !whole {
			break
		}
		l.format(&out, line)
		left = rest
	}
	l.partial = bytes.Clone(left) // a long line does not hold its memory for ever
	return len(chunk), l.flush(&out)
}

// Close writes what is left without an end of line.
func (l *Lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out bytes.Buffer
	if len(l.partial) > 0 {
		l.format(&out, l.partial)
		l.partial = nil
	}
	return l.flush(&out)
}

// pieceOf is how much of a line that is too long to write: all but a character
// that is not whole yet.
func pieceOf(line []byte) int {
	for n := len(line) - 1; n > len(line)-utf8.UTFMax; n-- {
		if utf8.RuneStart(line[n]) {
			if !utf8.FullRune(line[n:]) {
				return n
			}
			break
		}
	}
	return len(line)
}

// format adds one line.
func (l *Lines) format(out *bytes.Buffer, line []byte) {
	line = text.LastState(line)
	// What a worker's own workers print has their labels already.
	labelled := isLabelled.Match(line)
	if !labelled {
		out.WriteString(l.prefix)
	}
	if len(line) > 0 {
		if !labelled {
			out.WriteByte(' ')
		}
		out.WriteString(text.Clean(string(line)))
	}
	out.WriteByte('\n')
}

func (l *Lines) flush(out *bytes.Buffer) error {
	if out.Len() == 0 {
		return nil
	}
	_, err := l.to.Write(out.Bytes())
	return err
}
