package look

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// showCall writes a call for people.
func (o *inspectOptions) showCall(ctx context.Context, a *cli.App, v *view.Call) error {
	w := a.Text
	fmt.Fprintf(w, "%s@%s  %s\n", v.Function, v.Version, v.Words)
	var f text.Facts
	f.Add("address", v.URI)
	f.Add("pipeline", v.Pipeline)
	f.Add("state", stateText(a, v))
	head := callOf(v)
	f.Add("calls", strings.Join(head.Calls, ", "))
	f.Add("called by", callerOf(v))
	f.Add("memo key", v.MemoKey)
	f.Write(w, "  ")

	o.section(ctx, a, "Input", v.Invocation, v.Place)
	o.section(ctx, a, "Output", v.Result, v.Place)
	if v.Error != nil {
		o.showError(ctx, a, v)
	}
	o.showCode(ctx, a, v)
	showLease(a, v)
	if len(v.Runs) > 0 {
		fmt.Fprintln(w, "\nRuns, newest first")
		const most = 20
		shown := most
		if o.full {
			shown = len(v.Runs)
		}
		text.Table(w, "  ", text.WithoutEmpty(view.RunRows(v.Runs, shown)), "")
		showMemory(a, v)
		showFields(a, v)
	}
	if len(v.Files) > 0 {
		fmt.Fprintln(w, "\nFiles that it returned")
		var rows [][]string
		for _, file := range v.Files {
			rows = append(rows, []string{text.Bytes(file.Bytes), file.URI})
		}
		text.Table(w, "  ", rows, ">")
	}
	return o.showLogTail(ctx, a, v)
}

// callOf is what the records say of the function.
func callOf(v *view.Call) (call record.Call) {
	for _, r := range []*view.Record{v.Error, v.Result, v.Invocation} {
		if r != nil {
			r.Into(&call)
		}
	}
	return call
}

// callerOf names the call whose function made this one, as the records do.
func callerOf(v *view.Call) string {
	for _, r := range []*view.Record{v.Result, v.Error, v.Invocation} {
		if r == nil {
			continue
		}
		var header struct {
			Caller string
			Run    struct{ Caller string }
		}
		r.Into(&header)
		if caller := cmp.Or(header.Run.Caller, header.Caller); caller != "" {
			return caller
		}
	}
	return ""
}

// stateText says in a line how far a call is.
func stateText(a *cli.App, v *view.Call) string {
	switch v.State {
	case view.HasResult:
		state := "there is a result"
		var header record.ResultHeader
		v.Result.Into(&header)
		switch {
		case v.Injected:
			state += ", put there by hand"
		case header.Run.Outcome != "":
			state += fmt.Sprintf(", computed in %s by %s", text.Seconds(header.Run.WallSeconds), view.Where(header.Run))
		}
		return state + ", " + text.Ago(v.Result.Modified, a.Now())
	case view.Running:
		return fmt.Sprintf("being computed by %s, since %s", v.Lease.Holder.Who(), text.Ago(v.Lease.Since, a.Now()))
	case view.HasError:
		return "the last run failed, " + text.Ago(v.Error.Modified, a.Now()) + "; the next call runs it again"
	case view.Abandoned:
		return "abandoned: the process that computed it is dead, and the next call takes over"
	case view.Released:
		if v.Lease.Outcome != nil {
			return "not computed; the last run ended as " + view.OutcomeText(*v.Lease.Outcome)
		}
	}
	return "not computed"
}

// section writes the value of one record under a title.
func (o *inspectOptions) section(ctx context.Context, a *cli.App, title string, r *view.Record, place memo.Place) {
	if r == nil {
		return
	}
	fmt.Fprintf(a.Text, "\n%s (%s)\n", title, r.Summary(a.Now()))
	warn(a, r)
	o.value(ctx, a, r, place)
}

func warn(a *cli.App, r *view.Record) {
	for line := range strings.SplitSeq(r.Warning(), "\n") {
		if line != "" {
			fmt.Fprintf(a.Text, "  ! %s\n", text.Clean(line))
		}
	}
}

// value writes the body of a record.
func (o *inspectOptions) value(ctx context.Context, a *cli.App, r *view.Record, place memo.Place) {
	if r.Value == nil {
		return
	}
	var header struct {
		Sources []record.SourceLocation `json:"sources"`
	}
	r.Into(&header)
	dynamic.Write(ctx, a.Text, r.Value.Value, dynamic.Options{Indent: "  ", Full: o.full, Locate: func(s dynamic.Source) string {
		return locate(place, header.Sources, s)
	}})
}

// locate says where the bytes of a source are, by the header of its record.
func locate(place memo.Place, listed []record.SourceLocation, s dynamic.Source) string {
	for _, l := range listed {
		if l.Hash != s.Hash || l.Kind != s.Kind {
			continue
		}
		switch {
		case l.Location == "" || strings.Contains(l.Location, "://"):
			return l.Location
		case strings.HasPrefix(l.Location, "out/"):
			return place.Store.URI(place.Path + "/" + l.Location)
		}
		return place.Store.URI(l.Location)
	}
	return ""
}

// showError writes the error of the last failed run.
func (o *inspectOptions) showError(ctx context.Context, a *cli.App, v *view.Call) {
	title := "Error of the last failed run"
	if v.State == view.HasResult {
		title = "Error of an earlier run"
	}
	fmt.Fprintf(a.Text, "\n%s (%s)\n", title, v.Error.Summary(a.Now()))
	warn(a, v.Error)
	o.failure(ctx, a, v.Error)
}

// failure writes what a function did wrong.
func (o *inspectOptions) failure(ctx context.Context, a *cli.App, r *view.Record) {
	if r.Failure == nil {
		o.value(ctx, a, r, memo.Place{})
		return
	}
	var f text.Facts
	f.Add("message", r.Failure.Message)
	f.Add("types", strings.Join(r.Failure.Types, "\n"))
	if known := r.Failure.Registered; known != nil { // the program knows to make it again
		shown := known.Name
		if value, err := dynamic.Decode(ctx, known.Data); err == nil {
			shown += " " + dynamic.Short(value, 500)
		}
		f.Add("registered", shown)
	}
	f.Write(a.Text, "  ")
	if r.Failure.Stack != "" {
		fmt.Fprintln(a.Text, "  stack of the panic")
		lines := strings.Split(strings.TrimRight(r.Failure.Stack, "\n"), "\n")
		const most = 24
		for i, line := range lines {
			if i == most && !o.full {
				fmt.Fprintf(a.Text, "    … %d more lines (--full shows all)\n", len(lines)-most)
				break
			}
			fmt.Fprintf(a.Text, "    %s\n", line)
		}
	}
}

func showLease(a *cli.App, v *view.Call) {
	switch {
	case v.LeaseProblem != "":
		fmt.Fprintf(a.Text, "\nLease\n  ! %s\n", text.Clean(v.LeaseProblem))
	case v.Lease != nil && v.State != view.HasResult:
		fmt.Fprintln(a.Text, "\nLease")
		v.Lease.Facts(a.Now(), false).Write(a.Text, "  ")
	}
}

// showMemory writes where the memory limit of the newest run comes from that has
// one.
func showMemory(a *cli.App, v *view.Call) {
	for _, run := range v.Runs {
		if run.Run != nil && run.Run.MemoryFrom != "" {
			fmt.Fprintf(a.Text, "\nMemory limit of run %s\n  %s: %s\n", run.ID, quantity(run.Run.MemoryLimit), text.Clean(run.Run.MemoryFrom))
			return
		}
	}
}

// quantity is a number of bytes as people write it for Kubernetes: "4Gi".
func quantity(bytes int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"Gi", 1 << 30}, {"Mi", 1 << 20}} {
		if bytes > 0 && bytes%unit.size == 0 {
			return fmt.Sprint(bytes/unit.size, unit.name)
		}
	}
	return text.Bytes(bytes)
}

// showFields writes what functions recorded of themselves.
func showFields(a *cli.App, v *view.Call) {
	for _, run := range v.Runs {
		if run.Run == nil || len(run.Run.Fields) == 0 {
			continue
		}
		fmt.Fprintf(a.Text, "\nRecorded by run %s\n", run.ID)
		fieldFacts(run.Run.Fields).Write(a.Text, "  ")
		return // of the newest that has any
	}
}

func fieldFacts(fields map[string]any) (f text.Facts) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value, err := json.Marshal(fields[key])
		if err == nil {
			f.Add(key, string(value))
		}
	}
	return f
}

// showRecord writes one record for people.
func (o *inspectOptions) showRecord(ctx context.Context, a *cli.App, x roots.Address, v *view.Record) {
	title := v.Kind
	if x.Kind == roots.KindRecord {
		title += " of " + x.Call.Name + "@" + x.Call.Version + "  " + words.Of(x.Call.Path())
	}
	fmt.Fprintln(a.Text, title)
	var f text.Facts
	f.Add("address", v.URI)
	f.Add("size", text.Bytes(v.Bytes))
	f.Add("written", text.When(v.Modified, a.Now()))
	if v.Session != nil {
		f.Add("process", v.Session.Who())
		f.Add("state", v.Session.Alive())
	}
	if v.Content != nil {
		f.Add("sha256", v.Content.SHA256)
	}
	f.Write(a.Text, "  ")
	warn(a, v)
	switch {
	case v.Lease != nil:
		fmt.Fprintln(a.Text, "\nLease")
		v.Lease.Facts(a.Now(), false).Write(a.Text, "  ")
	case v.Content != nil:
		o.showContent(ctx, a, v)
	case len(v.Header) > 0:
		o.showHeader(a, v)
	}
	if v.Code != nil && o.full {
		showDescription(a, v.Code)
	}
	switch {
	case v.Kind == string(record.KindError) && v.Value != nil:
		fmt.Fprintln(a.Text, "\nError")
		o.failure(ctx, a, v)
	case v.Value != nil:
		fmt.Fprintln(a.Text, map[string]string{"result": "\nOutput", "invocation": "\nInput"}[v.Kind])
		o.value(ctx, a, v, x.Place())
	}
}

// showHeader writes all that a header says, but for the types, which are long.
func (o *inspectOptions) showHeader(a *cli.App, v *view.Record) {
	header := v.Header
	var long struct{ Types json.RawMessage }
	if v.Into(&long); len(long.Types) > 0 && !o.full {
		header = bytes.Replace(header, long.Types, []byte(`"(--full shows them)"`), 1)
	}
	var text bytes.Buffer
	if json.Indent(&text, header, "  ", "  ") == nil {
		fmt.Fprintf(a.Text, "\nHeader\n  %s\n", strings.TrimSpace(text.String()))
	}
}

func (o *inspectOptions) showContent(ctx context.Context, a *cli.App, v *view.Record) {
	if v.Content.Files != nil {
		fmt.Fprintf(a.Text, "\n%s\n", text.Count(len(v.Content.Files), "file"))
		var rows [][]string
		for i, file := range v.Content.Files {
			if i == 50 && !o.full {
				rows = append(rows, []string{"", fmt.Sprintf("… %d more (--full shows all)", len(v.Content.Files)-i)})
				break
			}
			entry := file.(map[string]any)
			bytes, _ := entry["bytes"].(int64)
			rows = append(rows, []string{text.Bytes(bytes), fmt.Sprint(entry["path"])})
		}
		text.Table(a.Text, "  ", rows, ">")
		return
	}
	if len(v.Content.Start) == 0 {
		return
	}
	fmt.Fprintln(a.Text, "\nIt begins with")
	if !v.Content.Text {
		dynamic.Write(ctx, a.Text, v.Content.Start, dynamic.Options{Indent: "  "})
		return
	}
	lines := strings.Split(strings.TrimRight(string(v.Content.Start), "\n"), "\n")
	for _, line := range lines[:min(len(lines), 20)] {
		fmt.Fprintf(a.Text, "  | %s\n", line)
	}
}
