package page

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
)

// failure is one kind of failure: calls of a function with one error.
type failure struct {
	Function string
	Error    string
	Calls    []programs.Call // at most a few
	Count    int

	Message string   // of the first call, in full
	Types   []string // of the error
	Stack   string
	Log     string // its last lines
	LogCut  bool   // there is more of it
	Note    string // why there is no more to be said
}

const (
	mostFailures = 20 // kinds that are shown
	mostOfKind   = 5  // calls of each that are named
	logTail      = 60 // lines
)

// addFailures reads what the newest failures left, kind by kind.
func (p *runPage) addFailures(ctx context.Context, store *blob.Store, run *programs.Run) {
	kinds := map[[2]string]*failure{}
	for _, c := range slices.Backward(run.Calls) {
		if c.Outcome != "failed" {
			continue
		}
		f := kinds[[2]string{c.Function, c.Error}]
		if f == nil {
			f = &failure{Function: c.Function, Error: c.Error}
			kinds[[2]string{c.Function, c.Error}] = f
			if len(p.Failures) == mostFailures {
				p.Unshown++
			} else {
				p.Failures = append(p.Failures, f)
			}
		}
		if f.Count++; len(f.Calls) < mostOfKind {
			f.Calls = append(f.Calls, c)
		}
	}
	slices.SortStableFunc(p.Failures, func(a, b *failure) int { return cmp.Compare(b.Count, a.Count) })
	var group errgroup.Group
	group.SetLimit(8)
	for _, f := range p.Failures {
		group.Go(func() error { f.read(ctx, store); return nil })
	}
	group.Wait()
}

// read reads the error record and the log of the first call.
func (f *failure) read(ctx context.Context, store *blob.Store) {
	first := f.Calls[0]
	call, err := memokey.Parse(first.Memo)
	if err != nil || call.Root != "" {
		f.Note = "The run does not say where its records are."
		return
	}
	x := roots.Of(store, call)
	x.Path, x.Call.Rest, x.Kind = x.Path+"/error", "error", roots.KindRecord
	record, err := view.Read(ctx, x, time.Time{})
	switch {
	case blob.Is(err, blob.NotFound):
		f.Note = "Its record is gone: the call was computed again since, or removed."
		if first.Run != "" {
			f.Log, f.LogCut, _ = tail(ctx, x.Place(), first.Run, logTail)
		}
		return
	case err != nil:
		f.Note = "Its record could not be read: " + err.Error()
		return
	case record.Failure == nil || record.Condition != view.Sound:
		f.Note = record.Warning()
	}
	var head struct {
		RunID string `json:"run_id"`
	}
	record.Into(&head)
	if head.RunID != first.Run && first.Run != "" {
		f.Note = "What follows is of a later run of the call, " + head.RunID + "."
	}
	if record.Failure != nil {
		f.Message, f.Types, f.Stack = cut(record.Failure.Message, false), record.Failure.Types, cut(record.Failure.Stack, false)
	}
	f.Log, f.LogCut, _ = tail(ctx, x.Place(), cmp.Or(head.RunID, first.Run), logTail)
}

// tail is the end of a log, cleaned; there is more of it where cut is true.
func tail(ctx context.Context, place memo.Place, run string, lines int) (end string, cut bool, err error) {
	next, err := runlog.Next(ctx, place.Store, place.Log(run))
	if err != nil || next == 1 {
		return "", false, err
	}
	first := max(next-2, 1) // the last two chunks: one may hold a line only
	var text bytes.Buffer
	if _, err := runlog.Copy(ctx, &text, place.Store, place.Log(run), first); err != nil {
		return "", false, err
	}
	all := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	cut = first > 1 || len(all) > lines
	all = all[max(len(all)-lines, 0):]
	for i, line := range all {
		all[i] = logLine(line)
	}
	return strings.Join(all, "\n"), cut, nil
}

// logLine is what a terminal would show of a line, at most so much of it.
func logLine(line string) string {
	const most = 4 << 10
	return text.Clean(text.Cut(string(text.LastState([]byte(line))), most))
}

// MissingFailures is how many calls failed of which nothing is listed, as the store was
// away when they did.
func (p *runPage) MissingFailures() int64 {
	n := p.Total.Failed
	for _, f := range p.Failures {
		n -= int64(f.Count)
	}
	if p.Unshown > 0 {
		return 0
	}
	return max(n, 0)
}
