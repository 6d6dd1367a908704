package view

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Run is one execution of a call.
type Run struct {
	ID       string      `json:"run_id"`
	Known    string      `json:"known_by"` // result, error, record, lease or log: what tells of it
	Run      *record.Run `json:"run,omitempty"`
	LogURI   string      `json:"log_uri,omitempty"`
	LogBytes int64       `json:"log_bytes"`
	Problem  string      `json:"problem,omitempty"`

	minute time.Time // of its id
	Newest time.Time `json:"-"` // of what it left, by the store's clock
}

// runList is all executions of a call that left something, newest first.
type runList struct{ list []*Run }

func (r *runList) get(id string) *Run {
	for _, run := range r.list {
		if run.ID == id {
			return run
		}
	}
	run := &Run{ID: id, minute: words.Minute(id)}
	r.list = append(r.list, run)
	return run
}

// known says what a record tells of a run.
func (r *runList) known(id, by string, of *record.Run, modified time.Time) {
	if id == "" {
		return
	}
	run := r.get(id)
	if run.Known == "" || run.Run == nil {
		run.Known = by
	}
	if of != nil && run.Run == nil {
		run.Run = of
	}
	if modified.After(run.Newest) {
		run.Newest = modified
	}
}

// add takes a blob below runs/ into account. Records of runs are read.
func (r *runList) add(ctx context.Context, store *blob.Store, info blob.Info, rest string) error {
	name, chunk, isLog := strings.Cut(rest, ".log/")
	if isLog && chunk != "" {
		run := r.get(name)
		run.LogBytes += info.Size
		run.LogURI = store.URI(strings.TrimSuffix(info.Key, "/"+chunk))
		if run.Known == "" {
			run.Known = "log"
		}
		if info.ModTime.After(run.Newest) {
			run.Newest = info.ModTime
		}
		return nil
	}
	id, isRecord := strings.CutSuffix(rest, ".json")
	if !isRecord || strings.Contains(id, "/") {
		return nil
	}
	header, _, err := record.FetchRun(ctx, store, info.Key)
	if errors.Is(err, record.ErrDamaged) {
		r.known(id, "record", nil, info.ModTime)
		r.get(id).Problem = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	r.known(id, "record", &header.Run, info.ModTime)
	return nil
}

// sort puts the newest first: by the minute in the id, then by what was written last.
func (r *runList) sort() {
	slices.SortStableFunc(r.list, func(a, b *Run) int {
		return cmp.Or(b.minute.Compare(a.minute), b.Newest.Compare(a.Newest), strings.Compare(b.ID, a.ID))
	})
}

// RunRows are a table of runs for people.
func RunRows(runs []*Run, most int) [][]string {
	rows := [][]string{{"run", "outcome", "took", "cpu", "peak memory", "where", "log"}}
	for i, run := range runs {
		if i == most {
			rows = append(rows, []string{fmt.Sprintf("… and %d older ones", len(runs)-most)})
			break
		}
		rows = append(rows, run.row())
	}
	return rows
}

func (v *Run) row() []string {
	row := []string{v.ID, "", "", "", "", "", ""}
	if v.LogBytes > 0 {
		row[6] = text.Bytes(v.LogBytes)
	}
	run := v.Run
	switch {
	case v.Problem != "":
		row[1] = "(" + v.Problem + ")"
		return row
	case run == nil && v.Known == "lease":
		row[1] = "not finished"
		return row
	case run == nil:
		row[1] = "left nothing but its log"
		return row
	}
	row[1] = string(run.Outcome)
	if run.Reason != "" {
		row[1] += " " + string(run.Reason)
	}
	row[2] = text.Seconds(run.WallSeconds)
	if run.CPUSeconds > 0 {
		row[3] = text.Seconds(run.CPUSeconds)
	}
	row[4] = memory(*run)
	row[5] = Where(*run)
	return row
}

// memory is "1.2 GiB of 4.0 GiB": the most that a run had, and what it was allowed.
func memory(run record.Run) string {
	peak := ""
	if run.PeakMemory > 0 {
		peak = text.Bytes(run.PeakMemory)
	}
	if run.MemoryLimit <= 0 {
		return peak
	}
	return cmp.Or(peak, "?") + " of " + text.Bytes(run.MemoryLimit)
}

// Where is "ada on node-7 (k8s)".
func Where(run record.Run) string {
	text := run.User
	if run.Host != "" {
		text = strings.TrimSpace(text + " on " + run.Host)
	}
	if run.Executor != "" {
		text = strings.TrimSpace(text + " (" + run.Executor + ")")
	}
	return text
}
