package progress

import (
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// plainLines is what a display says where lines stay: a line when a function
// first fails, and a line for each function that went on, at growing intervals.
type plainLines struct {
	due      time.Duration     // when to say something next, since the start
	said     map[string]Counts // when it was last said, by function
	failed   map[string]bool   // functions
	failures int               // looked at
}

// next is what to say now, after so much time.
func (p *plainLines) next(s Snapshot, after time.Duration) string {
	if p.said == nil {
		p.said, p.failed, p.due = map[string]Counts{}, map[string]bool{}, 5*time.Second
	}
	var said strings.Builder
	say := func(line string) { said.WriteString("mops: " + line + "\n") }
	for _, f := range s.Failures[p.failures:] {
		if !p.failed[f.Function] {
			p.failed[f.Function] = true
			say(Label(f.Function, f.MemoURI) + " failed: " + text.Cut(strings.TrimSpace(text.Clean(f.Error)), 300))
		}
	}
	p.failures = len(s.Failures)
	if after < p.due {
		return said.String()
	}
	p.due = after + interval(after)
	busy := false
	for _, f := range s.Functions {
		if f.Started == 0 || f.Outstanding() == 0 && p.said[f.Name] == f.Counts {
			continue
		}
		busy = busy || f.Outstanding() > 0
		p.said[f.Name] = f.Counts
		say(functionLine(f, s.Time))
	}
	if oldest := oldestLine(s); oldest != "" && busy {
		say(oldest)
	}
	for _, line := range waitLines(s) {
		say(line)
	}
	return said.String()
}

// interval is how long to be silent after so much time: the longer something
// takes, the less is new about it.
func interval(after time.Duration) time.Duration {
	switch {
	case after < 30*time.Second:
		return 5 * time.Second
	case after < 5*time.Minute:
		return 30 * time.Second
	default:
		return 5 * time.Minute
	}
}

func functionLine(f Function, now time.Time) string {
	var counts []string
	for _, p := range tally(f.Counts) {
		counts = append(counts, p.text)
	}
	return text.Clean(f.Name) + " " + countOf(f) + ": " + strings.Join(counts, ", ") + "; " + f.pace(now)
}
