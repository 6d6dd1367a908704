package progress

import (
	"fmt"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Label is a short name of a call for people: its function and the words of its
// memo URI.
func Label(function, memoURI string) string {
	return text.Clean(strings.TrimSuffix(function+" "+words.Of(memoURI), " "))
}

// tally is "12 running, 2 failed, …" of what is not zero, in the order of what
// matters while calls are under way.
func tally(c Counts) (parts []part) {
	add := func(n int64, what string, color string) {
		if n > 0 {
			parts = append(parts, part{fmt.Sprintf("%d %s", n, what), color})
		}
	}
	add(c.Failed, "failed", red)
	add(c.Running, "running", "")
	add(c.Starting, "starting", "")
	add(c.Pending, "pending", "")
	add(c.Queued, "queued", "")
	add(c.Waiting, "waiting", "")
	add(c.Awaiting, "elsewhere", "")
	add(c.Computed, "computed", "")
	add(c.Awaited, "awaited", "")
	add(c.Cancelled, "cancelled", "")
	add(c.Hits, "hits", "")
	return parts
}

// elapsed is how long a function has been busy, to the second.
func (f Function) elapsed(now time.Time) time.Duration {
	until := f.LastEnd
	if f.Outstanding() > 0 || until.IsZero() {
		until = now
	}
	return until.Sub(f.First).Truncate(time.Second)
}

// left estimates how long the rest takes, as soon as there is something to go
// by: the calls that are known to be no hits, and of those not looked at yet the
// same share as so far, at the pace so far. Between two ends it counts down. Where
// the pace so far says nothing about the rest, there is no estimate: see uneven.
func (f Function) left(now time.Time) (d time.Duration, ok bool) {
	misses := f.Outstanding() + f.Computed + f.Awaited + f.Failed + f.Cancelled
	ended := misses - f.Outstanding()
	busy := f.LastEnd.Sub(f.firstMiss)
	if ended < 3 || busy < 5*time.Second || f.Outstanding() == 0 || f.uneven(now) {
		return 0, false
	}
	share := float64(misses) / float64(f.Started)
	rest := float64(f.Outstanding()) + share*float64(f.Total()-f.Started)
	whole := rest / float64(ended) * float64(busy)
	if whole > float64(1000*time.Hour) {
		return 0, false
	}
	d = (time.Duration(whole) - now.Sub(f.LastEnd)).Truncate(time.Second)
	return d, d > 0
}

// uneven reports whether calls take so different times that the pace so far says
// little about the rest: one took several times the mean, or runs already for
// longer than any that has ended; or no worker runs, and when one will is up to the
// cluster.
func (f Function) uneven(now time.Time) bool {
	const several = 4
	if f.Running == 0 && f.Queued+f.Pending > 0 {
		return true
	}
	if f.Computed == 0 {
		return false
	}
	mean := f.Computing / time.Duration(f.Computed)
	return f.Longest > several*mean || !f.oldest.IsZero() && now.Sub(f.oldest) > several*max(mean, f.Longest/2)
}

// pace is "1m20s, 2m05s left".
func (f Function) pace(now time.Time) string {
	pace := text.Duration(f.elapsed(now))
	if left, ok := f.left(now); ok {
		pace += ", about " + text.Duration(left) + " left"
	}
	return pace
}

// oldestLine is "oldest running: …" once something has run for a while.
func oldestLine(s Snapshot) string {
	const aWhile, most = 10 * time.Second, 3
	var names []string
	for _, r := range s.Oldest[:min(len(s.Oldest), most)] {
		ran := s.Time.Sub(r.Since).Truncate(time.Second)
		if ran < aWhile {
			break
		}
		name := Label(r.Function, r.MemoURI) + " (" + text.Duration(ran)
		if r.Where != "" {
			name += ", " + text.Clean(r.Where)
		}
		names = append(names, name+")")
	}
	if len(names) == 0 {
		return ""
	}
	return "oldest running: " + strings.Join(names, ", ")
}

// waitLines are "waiting: …", "elsewhere: …" and "queued: …", where it is known for
// what; functions wait for the same, mostly.
func waitLines(s Snapshot) (lines []string) {
	for _, of := range []struct {
		what string
		why  func(Function) string
	}{
		{"waiting: ", func(f Function) string { return f.WaitsFor }},
		{"elsewhere: ", func(f Function) string { return f.AwaitsWhom }},
		{"queued: ", func(f Function) string { return f.QueuedWhy }},
	} {
		for _, f := range s.Functions {
			if why := of.why(f); why != "" {
				lines = append(lines, of.what+text.Cut(text.Clean(why), 300))
				break
			}
		}
	}
	return lines
}

// lastLine is what is said at the end: "42 calls: 2 computed, 40 hits in 3.1 s".
// Nothing where nothing was computed and nothing failed.
func lastLine(s Snapshot) string {
	total := s.Total()
	if total.Computed == 0 && total.Failed == 0 {
		return ""
	}
	begin := s.Time
	for _, f := range s.Functions {
		if f.First.Before(begin) {
			begin = f.First
		}
	}
	var parts []string
	for _, of := range []struct {
		n    int64
		what string
	}{
		{total.Hits, "hits"}, {total.Computed, "computed"}, {total.Awaited, "awaited"},
		{total.Failed, "failed"}, {total.Cancelled, "cancelled"}, {total.Outstanding(), "not finished"},
	} {
		if of.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", of.n, of.what))
		}
	}
	calls := "calls"
	if total.Started == 1 {
		calls = "call"
	}
	return fmt.Sprintf("mops: %d %s: %s in %s", total.Started, calls, strings.Join(parts, ", "), text.Duration(s.Time.Sub(begin)))
}
