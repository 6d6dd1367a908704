package subprocess

import (
	"bytes"
	"strings"
)

// The size of Error.Tail.
const (
	tailBytes  = 4 << 10
	tailLines  = 20
	crashBytes = 2 << 10
	crashLines = 10
)

// These begin the first line of a crash report; see runtime.throw and panic.
const (
	panicked = "panic: "
	thrown   = "fatal error: "
)

// tail keeps the end of a worker's output, and the beginning of its crash: the
// stacks that Go prints behind the reason push that far up.
type tail struct {
	last    []byte // at most 2*tailBytes
	begin   []byte // of the unfinished line, as much as shows a crash
	crash   []byte // from the latest crash on, at most crashBytes
	crashed bool
}

func (t *tail) add(chunk []byte) {
	for rest := chunk; len(rest) > 0; {
		line, end := rest, bytes.IndexByte(rest, '\n')
		if end >= 0 {
			line = rest[:end+1]
		}
		rest = rest[len(line):]
		t.watch(line)
		if end >= 0 {
			t.begin = t.begin[:0]
		}
	}
	chunk = chunk[max(0, len(chunk)-tailBytes):]
	if len(t.last)+len(chunk) > 2*tailBytes {
		t.last = append(t.last[:0], t.last[len(t.last)-tailBytes:]...)
	}
	t.last = append(t.last, chunk...)
}

// watch looks at a line, or at the next part of one.
func (t *tail) watch(part []byte) {
	rest := part
	if len(t.begin) == 0 {
		t.begin, rest = append(t.begin, part[0]), part[1:]
	}
	// The first byte decides for most lines.
	if first := t.begin[0]; first == panicked[0] || first == thrown[0] {
		n := min(len(rest), len(thrown)-len(t.begin))
		t.begin = append(t.begin, rest[:n]...)
		if begin := string(t.begin); strings.HasPrefix(begin, panicked) || strings.HasPrefix(begin, thrown) {
			if n > 0 { // else the crash was found before
				t.crash, t.crashed = append(t.crash[:0], t.begin...), true
				part = rest[n:]
			}
		}
	}
	if t.crashed {
		t.crash = append(t.crash, part[:min(len(part), crashBytes-len(t.crash))]...)
	}
}

// String returns the last lines, below the first lines of the crash unless
// those are among them.
func (t *tail) String() string {
	last := string(t.last[max(0, len(t.last)-tailBytes):])
	if !t.crashed {
		return lastLines(last, tailLines)
	}
	crash := strings.Join(firstLines(string(t.crash), crashLines), "")
	if last := lastLines(last, tailLines); strings.Contains(last, crash) {
		return last
	}
	last = last[max(0, len(last)-crashBytes):]
	return strings.TrimSuffix(crash, "\n") + "\n…\n" + lastLines(last, tailLines-crashLines)
}

func firstLines(text string, n int) []string {
	lines := strings.SplitAfter(text, "\n")
	return lines[:min(len(lines), n)]
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
