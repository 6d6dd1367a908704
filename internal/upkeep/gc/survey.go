package gc

import (
	"context"

	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/sources/source"
)

// survey lists the store, and counts what is chosen.
func (r *run) survey(ctx context.Context) error {
	r.Progress.Begin("looking at calls", 0)
	prefix := r.Calls.prefix()
	if r.Content || r.Remains {
		prefix = Selection{}.prefix()
	}
	for c, err := range calls(ctx, r.store, prefix) {
		if err != nil {
			return err
		}
		r.Progress.Step()
		if c.path == "" {
			r.report.Unknown.add(int64(c.blobs), c.bytes)
			continue
		}
		r.count(c)
		chosen, remains := r.Calls.matches(c, r.now), r.Remains && r.unfinished(c)
		switch {
		case chosen:
			r.report.Chosen.add(1, c.bytes)
		case remains:
			r.report.Remains.add(1, c.bytes)
		}
		if c.files > 0 && ((chosen || remains) && r.graceIsOver(c) || r.Remains && r.mayHaveLostFiles(c)) {
			r.filesAreDue = true
		}
	}
	if r.surveyed = prefix == (Selection{}.prefix()); !r.surveyed {
		return nil
	}
	if err := r.countByAge(ctx, source.ContentPrefix, &r.report.Shared); err != nil {
		return err
	}
	return r.countByAge(ctx, lease.SessionPrefix, &r.report.Sessions)
}

// count adds a call to its function's row, which is the last one: calls come in
// the order of their keys.
func (r *run) count(c *call) {
	rows := r.report.Functions
	if n := len(rows); n == 0 || rows[n-1].Pipeline != c.Pipeline || rows[n-1].Function != c.Name || rows[n-1].Version != c.Version {
		rows = append(rows, Function{Pipeline: c.Pipeline, Function: c.Name, Version: c.Version, Oldest: c.written, Newest: c.written})
		r.report.Functions = rows
	}
	row := &rows[len(rows)-1]
	row.Calls++
	row.Blobs += int64(c.blobs)
	row.Bytes += c.bytes
	if c.result.Key != "" {
		row.Results++
	}
	if c.failure.Key != "" {
		row.Errors++
	}
	if c.written.Before(row.Oldest) {
		row.Oldest = c.written
	}
	if c.written.After(row.Newest) {
		row.Newest = c.written
	}
	row.ByAge.add(r.now.Sub(c.written), c.bytes)
}

// calls is the number of calls listed.
func (r *run) calls() (n int64) {
	for _, row := range r.report.Functions {
		n += row.Calls
	}
	return n
}

func (r *run) countByAge(ctx context.Context, prefix string, to *ByAge) error {
	for info, err := range r.store.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		to.add(r.now.Sub(info.ModTime), info.Size)
	}
	return nil
}

// unfinished reports whether a crashed program left a call: it has neither
// result nor error, and nothing was written for long.
func (r *run) unfinished(c *call) bool {
	return c.isRemoved() && len(c.strange) == 0 && r.old(c.touched(), remainsAge)
}

// mayHaveLostFiles reports whether a call has files of several runs. Only those
// of the result's run are of use to anybody: even a program that got the result
// before it has had its time.
func (r *run) mayHaveLostFiles(c *call) bool {
	return c.result.Key != "" && c.fileRuns > 1 && r.old(c.oldestFile, remainsAge) && r.old(c.result.ModTime, r.Grace)
}
