package progress

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// terminal understands as much of a terminal as the display uses, and keeps
// what scrolled away. It fails the test on anything else.
type terminal struct {
	t             *testing.T
	width, height int

	mu          sync.Mutex
	lines       [][]rune // all that were ever there
	row, column int      // the cursor, in lines
	top         int      // the first line on the screen
	writes      int
	raw         strings.Builder
}

func newTerminal(t *testing.T, width, height int) *terminal {
	return &terminal{t: t, width: width, height: height, lines: [][]rune{nil}}
}

func (term *terminal) screen(color bool) screen {
	return screen{out: term, mode: Auto, color: color, size: func() (int, int) {
		term.mu.Lock()
		defer term.mu.Unlock()
		return term.width, term.height
	}}
}

var sequence = regexp.MustCompile(`^\x1b\[([0-9]*)([AJKm])`)

func (term *terminal) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	term.writes++
	term.raw.Write(p)
	for text := string(p); text != ""; {
		if found := sequence.FindStringSubmatch(text); found != nil {
			term.control(found[1], found[2])
			text = text[len(found[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		term.put(r)
	}
	return len(p), nil
}

func (term *terminal) control(number, what string) {
	switch what {
	case "A":
		n, _ := strconv.Atoi(number)
		term.row = max(term.row-n, term.top)
	case "K":
		term.clearRest()
	case "J":
		term.clearRest()
		term.lines = term.lines[:term.row+1]
	}
}

func (term *terminal) clearRest() {
	if line := term.lines[term.row]; term.column < len(line) {
		term.lines[term.row] = line[:term.column]
	}
}

func (term *terminal) put(r rune) {
	switch {
	case r == '\r':
		term.column = 0
	case r == '\n':
		term.column = 0
		term.row++
		if term.row == len(term.lines) {
			term.lines = append(term.lines, nil)
		}
		term.top = max(term.top, term.row-term.height+1)
	case r < ' ':
		term.t.Errorf("control character %q", r)
	default:
		if term.column >= term.width {
			term.t.Errorf("line %q is wider than %d", string(term.lines[term.row]), term.width)
		}
		for len(term.lines[term.row]) <= term.column {
			term.lines[term.row] = append(term.lines[term.row], ' ')
		}
		term.lines[term.row][term.column] = r
		term.column++
	}
}

// frames is how often something was written since it was last asked.
func (term *terminal) frames() int {
	term.mu.Lock()
	defer term.mu.Unlock()
	defer func() { term.writes = 0 }()
	return term.writes
}

// bytes is all that was written.
func (term *terminal) bytes() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.raw.String()
}

// text is all that is and was on the screen.
func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	var all strings.Builder
	for _, line := range term.lines {
		fmt.Fprintln(&all, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(all.String(), "\n")
}

func (term *terminal) expect(want string) {
	term.t.Helper()
	if got := term.text(); got != strings.Trim(want, "\n") {
		term.t.Errorf("the screen shows\n%s\nwant\n%s", got, strings.Trim(want, "\n"))
	}
}
