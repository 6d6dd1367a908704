package cli

import (
	"regexp"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// states are words that stand alone in a row: good ones, bad ones, and those of what
// goes on.
var states = regexp.MustCompile(`(?:^|  )(?:(result|succeeded|exit 0|PASS)|(error|failed|abandoned|broken off|exit -?[1-9][0-9]*|FAIL)|(running|live|queued|pending|starting|stopping|WARN))(?:,|  |$)`)

// Table writes rows of which the first is a header.
func (w *TextWriter) Table(indent string, rows [][]string, align string) {
	w.Rows(true, func() { text.Table(w, indent, rows, align) })
}

// Rows has lines that are written in between stand out where there is colour: a header
// is bold, and of a row the first state is green, red or yellow.
func (w *TextWriter) Rows(header bool, write func()) {
	if w.Colour {
		w.style = func(line string) string {
			if header {
				header = false
				return "\x1b[1m" + line + "\x1b[0m"
			}
			at := states.FindStringSubmatchIndex(line)
			for i, colour := range []string{"\x1b[32m", "\x1b[31m", "\x1b[33m"} {
				if at != nil && at[2*i+2] >= 0 {
					from, to := at[2*i+2], at[2*i+3]
					return line[:from] + colour + line[from:to] + "\x1b[0m" + line[to:]
				}
			}
			return line
		}
	}
	write()
	w.style = nil
}
