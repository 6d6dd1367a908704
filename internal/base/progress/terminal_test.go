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
// what scrolled away. It fails the test on anything else. Like most, it forgets its
// margins when its size changes.
type terminal struct {
	t             *testing.T
	width, height int

	mu     sync.Mutex
	past   []string // what scrolled away
	rows   [][]rune
	at     cursor
	saved  cursor
	bottom int  // the last row that scrolls
	cuts   bool // what is too wide for its row
	writes int
	raw    strings.Builder
}

type cursor struct{ row, column int } // a column of width: the next character wraps

func newTerminal(t *testing.T, width, height int) *terminal {
	return &terminal{t: t, width: width, height: height, rows: make([][]rune, height), bottom: height - 1}
}

func (term *terminal) screen(color bool) screen {
	return screen{out: term, mode: Auto, color: color, size: func() (int, int, bool) {
		term.mu.Lock()
		defer term.mu.Unlock()
		return term.width, term.height, true
	}}
}

// resize keeps the rows at the cursor: what is above scrolls away, what is below is
// cut off.
func (term *terminal) resize(width, height int) {
	term.mu.Lock()
	defer term.mu.Unlock()
	for term.at.row >= height {
		term.past = append(term.past, string(term.rows[0]))
		term.rows = term.rows[1:]
		term.at.row--
	}
	for len(term.rows) < height {
		term.rows = append(term.rows, nil)
	}
	term.rows = term.rows[:height]
	for i, row := range term.rows {
		term.rows[i] = row[:min(len(row), width)]
	}
	term.width, term.height, term.bottom = width, height, height-1
	term.at.column = min(term.at.column, width)
}

var sequence = regexp.MustCompile(`^\x1b(?:\[([0-9]*)(?:;([0-9]*))?([AHJKmr])|([78D])|(\[\?7[lh]))`)

func (term *terminal) Write(p []byte) (int, error) {
	term.mu.Lock()
	defer term.mu.Unlock()
	term.writes++
	term.raw.Write(p)
	for text := string(p); text != ""; {
		if found := sequence.FindStringSubmatch(text); found != nil {
			first, _ := strconv.Atoi(found[1])
			second, _ := strconv.Atoi(found[2])
			term.control(found[3]+found[4]+found[5], first, second)
			text = text[len(found[0]):]
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		term.put(r)
	}
	return len(p), nil
}

func (term *terminal) control(what string, first, second int) {
	switch what {
	case "A":
		term.at = cursor{max(term.at.row-max(first, 1), 0), min(term.at.column, term.width-1)}
	case "D":
		column := min(term.at.column, term.width-1)
		term.feed()
		term.at.column = column
	case "H":
		term.at = cursor{min(max(first, 1), term.height) - 1, min(max(second, 1), term.width) - 1}
	case "J":
		term.clearRest()
		for row := term.at.row + 1; row < term.height; row++ {
			term.rows[row] = nil
		}
	case "K":
		term.clearRest()
	case "r":
		if first == 0 {
			first, second = 1, term.height
		}
		if first != 1 || second < 1 || second > term.height {
			term.t.Errorf("margins %d to %d of %d", first, second, term.height)
		}
		term.bottom, term.at = second-1, cursor{}
	case "[?7l", "[?7h":
		term.cuts = what == "[?7l"
	case "7":
		term.saved = term.at
	case "8":
		term.at = term.saved
	}
}

func (term *terminal) clearRest() {
	if row := term.rows[term.at.row]; term.at.column < len(row) {
		term.rows[term.at.row] = row[:term.at.column]
	}
}

// feed moves the cursor a row down; at the bottom of what scrolls, the text moves.
func (term *terminal) feed() {
	if term.at.row != term.bottom {
		term.at.row = min(term.at.row+1, term.height-1)
		return
	}
	term.past = append(term.past, string(term.rows[0]))
	copy(term.rows, term.rows[1:term.bottom+1])
	term.rows[term.bottom] = nil
}

func (term *terminal) put(r rune) {
	switch {
	case r == '\r':
		term.at.column = 0
	case r == '\n':
		term.at.column = 0
		term.feed()
	case r < ' ':
		term.t.Errorf("control character %q", r)
	case term.cuts && term.at.column == term.width:
		term.t.Errorf("line %q is wider than %d", string(term.rows[term.at.row]), term.width)
	default:
		if term.at.column == term.width {
			term.at.column = 0
			term.feed()
		}
		row := term.rows[term.at.row]
		for len(row) <= term.at.column {
			row = append(row, ' ')
		}
		row[term.at.column] = r
		term.rows[term.at.row] = row
		term.at.column++
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

// text is all that is and was on the screen: what scrolls, and the block below it,
// without the empty rows between them.
func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	scrolls, below := term.past[:len(term.past):len(term.past)], []string(nil)
	for i, row := range term.rows {
		if i <= term.bottom {
			scrolls = append(scrolls, string(row))
		} else {
			below = append(below, string(row))
		}
	}
	return strings.Trim(trimmed(scrolls)+"\n"+trimmed(below), "\n")
}

func trimmed(rows []string) string {
	var all strings.Builder
	for _, row := range rows {
		fmt.Fprintln(&all, strings.TrimRight(row, " "))
	}
	return strings.TrimRight(all.String(), "\n")
}

func (term *terminal) expect(want string) {
	term.t.Helper()
	if got := term.text(); got != strings.Trim(want, "\n") {
		term.t.Errorf("the screen shows\n%s\nwant\n%s", got, strings.Trim(want, "\n"))
	}
}
