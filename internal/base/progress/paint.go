package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Control sequences (ECMA-48, and DEC's for cursor and margins).
const (
	red   = "\x1b[31m"
	plain = "\x1b[0m"

	save       = "\x1b7" // the cursor, with its colours
	restore    = "\x1b8"
	down       = "\x1bD"    // in the same column; at the bottom the text scrolls
	noWrap     = "\x1b[?7l" // what is too wide for the row, by the terminal's measure, is cut off
	wrap       = "\x1b[?7h"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"

	lastRow = "\x1b[9999;1H"            // whatever the size has become since we asked
	allRows = save + "\x1b[r" + restore // the margins are the screen's again

	// freed takes the block away, wherever it is: it lies below the cursor.
	freed = allRows + clearBelow
)

// settleEvery is how often the margins are set though nothing has changed: another
// program on the terminal may have set others. Not with each frame, since a cursor
// that waits behind the last column would lose its place.
const settleEvery = 5 * time.Second

// painter draws the block at the bottom of the terminal, below a margin: what others
// print scrolls above it, as if the terminal were that much smaller. Between two
// frames the cursor is theirs, wherever they left it, in the middle of a line, too.
// So they need not know of the block, and nothing they print has to pass through us.
type painter struct {
	shown         []string // nil for no block
	width, height int      // of the terminal, when it was drawn
	settled       time.Time
}

// draw is what draws the lines; "" if they are there already. The block does not
// shrink as long as it is shown, lest the text jumps.
func (p *painter) draw(lines []string, width, height int, now time.Time) string {
	for len(lines) < len(p.shown) && len(lines) < mostRows(height) {
		lines = append(lines, "")
	}
	same := width == p.width && height == p.height && len(lines) == len(p.shown)
	if same && slices.Equal(lines, p.shown) {
		return ""
	}
	var text strings.Builder
	settle := !same || now.Sub(p.settled) >= settleEvery
	if settle {
		text.WriteString(freed) // what is left of it, in a window of another size, too
		// Make room below the cursor: the text scrolls if there is none.
		fmt.Fprintf(&text, "%s\x1b[%dA", strings.Repeat(down, len(lines)), len(lines))
		p.settled = now
	}
	text.WriteString(save + plain + noWrap)
	if settle {
		fmt.Fprintf(&text, "\x1b[1;%dr", height-len(lines))
	}
	// The terminal may be smaller since we asked, and have no margins: then these make
	// room for the block, lest it is drawn over text; below a margin they do nothing.
	text.WriteString(lastRow + strings.Repeat("\n", len(lines)))
	if up := len(lines) - 1; up > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", up)
	}
	text.WriteString("\r" + strings.Join(lines, clearLine+"\r\n") + clearLine + wrap + restore)
	p.shown, p.width, p.height = lines, width, height
	return text.String()
}

// free is what takes the block away; "" if there is none.
func (p *painter) free() string {
	if p.shown == nil {
		return ""
	}
	p.shown = nil
	return freed
}

// mostRows is how many rows of a terminal the block may take: at least half remain
// for what the program prints.
func mostRows(height int) int { return height / 2 }
