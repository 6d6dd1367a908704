package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// mostSkew is by how much clocks may differ before it is worth a warning.
const mostSkew = 30 * time.Second

// mostAsked is how often the store's clock is asked.
const mostAsked = 5

// clock compares the store's clock with this machine's.
func (e *exam) clock(ctx context.Context) {
	line := Line{Name: "clock", Verdict: Pass, Rule: "The store's clock and this machine's tell the same time."}
	var before, after, told time.Time
	var ok bool
	var err error
	for range mostAsked { // while the answer takes long, nobody knows when it was true
		before = e.Now()
		told, ok, err = e.store.Now(ctx)
		after = e.Now()
		if line.Seconds = after.Sub(before).Seconds(); err != nil || !ok || line.Seconds < 1 {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		line.Verdict, line.Found, line.ToDo = Fail, err.Error(), e.toDo("clock", err)
	case !ok:
		line.Found = "the store tells no time; whether a program is dead is then seen by watching it"
	default:
		e.skew(&line, told.Sub(before.Add(after.Sub(before)/2)))
	}
	e.say(line)
}

// skew says by how much the store's clock is ahead of this machine's.
func (e *exam) skew(line *Line, skew time.Duration) {
	e.report.SkewSeconds = new(skew.Seconds())
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	line.Found = "the clocks differ by less than a second"
	if skew.Abs() >= time.Second {
		line.Found = fmt.Sprintf("the store's is %s %s this machine's", text.Duration(skew.Abs()), direction)
	}
	if skew.Abs() > mostSkew {
		line.Verdict = Warn
		line.ToDo = "results and leases are right all the same, since mops never compares the clocks of two machines; but ages that are shown are wrong, and S3 refuses requests that are dated 15 minutes off. Set the clock that is wrong (NTP)"
	}
}

// Latency is how long an operation took, in seconds.
type Latency struct {
	P50 float64 `json:"p50_seconds"`
	P99 float64 `json:"p99_seconds"` // of ten, the longest
}

const (
	measured = 10                     // operations of each kind
	slow     = 500 * time.Millisecond // half of all take longer: worth a warning
)

// latency measures small operations, one after the other.
func (e *exam) latency(ctx context.Context) {
	e.Progress.Begin("latency", 0)
	line := Line{Name: "latency", Verdict: Pass, Rule: "Small operations take no longer than half a second."}
	began := time.Now()
	var version blob.Version
	data := []byte(strings.Repeat("latency\n", 64)) // like a small record
	operations := []struct {
		name string
		do   func(key string) error
	}{
		{"put", func(key string) error {
			info, err := e.store.PutBytes(ctx, key, data, blob.PutOptions{})
			version = info.Version
			return err
		}},
		{"conditional put", func(key string) error {
			_, err := e.store.PutBytes(ctx, key, data, blob.PutOptions{IfVersion: version})
			return err
		}},
		{"get", func(key string) error { _, _, err := e.store.ReadAll(ctx, key, nil); return err }},
		{"stat", func(key string) error { _, err := e.store.Stat(ctx, key); return err }},
	}
	times := make([][]time.Duration, len(operations))
	for n := range measured {
		for i, op := range operations {
			start := time.Now()
			if err := op.do(fmt.Sprint(e.prefix, "latency/", n)); err != nil {
				if ctx.Err() == nil {
					line.Verdict, line.Found, line.ToDo = Fail, op.name+": "+err.Error(), e.toDo(op.name, err)
					e.say(line)
				}
				return
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	line.Seconds = time.Since(began).Seconds()
	var found []string
	for i, op := range operations {
		slices.Sort(times[i])
		p50, p99 := times[i][(measured-1)/2], times[i][measured-1]
		e.report.Latency[op.name] = Latency{p50.Seconds(), p99.Seconds()}
		found = append(found, fmt.Sprintf("%s %s and %s", op.name, milliseconds(p50), milliseconds(p99)))
		if p50 > slow {
			line.Verdict = Warn
			line.ToDo = "a call that is computed elsewhere takes seven of them in a row: run programs closer to the store, or put the store closer to them"
		}
	}
	line.Found = fmt.Sprintf("p50 and p99 of %d: %s", measured, strings.Join(found, ", "))
	e.say(line)
}

func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}
