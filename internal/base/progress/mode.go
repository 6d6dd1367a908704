package progress

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/term"
)

// Mode is how much is shown.
type Mode uint8

// The modes.
const (
	Auto  Mode = iota // a live block on a terminal, else plain lines
	Plain             // plain lines
	Off               // nothing
)

// ParseMode understands the value of MOPS_PROGRESS: auto, plain or off. Nothing means auto.
func ParseMode(text string) (Mode, error) {
	switch text {
	case "", "auto":
		return Auto, nil
	case "plain":
		return Plain, nil
	case "off":
		return Off, nil
	}
	return Auto, fmt.Errorf("progress %q: there is no such mode; use auto, plain or off", text)
}

// screen is what a display writes to.
type screen struct {
	out   interface{ Write([]byte) (int, error) }
	mode  Mode                                // Auto means live
	color bool                                // see TakesColor
	size  func() (width, height int, ok bool) // in characters, where live
	tty   *tty                                // where live; nil in tests
}

// IsTerminal reports whether out is a terminal that understands control sequences.
// The console of Windows does only once it was told to.
func IsTerminal(out *os.File, lookup func(string) (string, bool)) bool {
	kind, _ := lookup("TERM")
	return kind != "" && kind != "dumb" && term.IsTerminal(int(out.Fd())) && runtime.GOOS != "windows"
}

// TakesColor reports whether what out gets may have colours: it is a terminal that
// knows them, and nobody minds (https://no-color.org).
func TakesColor(out *os.File, lookup func(string) (string, bool)) bool {
	noColor, _ := lookup("NO_COLOR")
	return noColor == "" && IsTerminal(out, lookup)
}

func screenOf(out *os.File, mode Mode, lookup func(string) (string, bool)) screen {
	terminal := IsTerminal(out, lookup)
	s := screen{out: out, mode: mode, color: TakesColor(out, lookup), size: func() (int, int, bool) {
		width, height, err := term.GetSize(int(out.Fd()))
		return width, height, err == nil && width > 0 && height > 0
	}}
	if s.mode == Auto && terminal {
		_, _, known := s.size()
		if s.tty, terminal = openTTY(out); !known {
			terminal = false
		}
	}
	if s.mode == Auto && !terminal {
		s.mode = Plain
	}
	return s
}
