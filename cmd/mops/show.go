package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/dynamic"
	"github.com/TrilliantHealth/mops-go/internal/explain"
	"github.com/TrilliantHealth/mops-go/internal/memo"
	"github.com/TrilliantHealth/mops-go/internal/progress"
	"github.com/TrilliantHealth/mops-go/internal/record"
)

// showCall writes a call for people.
func (o *inspectOptions) showCall(ctx context.Context, a *app, v *callView) error {
	w := a.text
	fmt.Fprintf(w, "%s@%s  %s\n", v.Function, v.Version, v.Words)
	var f facts
	f.add("address", v.URI)
	f.add("pipeline", v.Pipeline)
	f.add("state", a.stateText(v))
	head := callOf(v)
	f.add("calls", strings.Join(head.Calls, ", "))
	f.add("memo key", v.MemoKey)
	f.write(w, "  ")

	o.section(ctx, a, "Input", v.Invocation, v.place)
	o.section(ctx, a, "Output", v.Result, v.place)
	if v.Error != nil {
		o.showError(ctx, a, v)
	}
	a.showLease(v)
	if len(v.Runs) > 0 {
		fmt.Fprintln(w, "\nRuns, newest first")
		const most = 20
		shown := most
		if o.full {
			shown = len(v.Runs)
		}
		table(w, "  ", withoutEmpty((&runList{v.Runs}).rows(shown)), "")
		showFields(a, v)
	}
	if len(v.Files) > 0 {
		fmt.Fprintln(w, "\nFiles that it returned")
		var rows [][]string
		for _, file := range v.Files {
			rows = append(rows, []string{size(file.Bytes), file.URI})
		}
		table(w, "  ", rows, ">")
	}
	return o.showLogTail(ctx, a, v)
}

// callOf is what the records say of the function.
func callOf(v *callView) (call record.Call) {
	for _, r := range []*recordView{v.Error, v.Result, v.Invocation} {
		if r != nil {
			r.into(&call)
		}
	}
	return call
}

// stateText says in a line how far a call is.
func (a *app) stateText(v *callView) string {
	switch v.State {
	case hasResult:
		text := "there is a result"
		var header record.ResultHeader
		v.Result.into(&header)
		switch {
		case v.Injected:
			text += ", put there by hand"
		case header.Run.Outcome != "":
			text += fmt.Sprintf(", computed in %s by %s", duration(header.Run.WallSeconds), where(header.Run))
		}
		return text + ", " + a.ago(v.Result.Modified)
	case running:
		return fmt.Sprintf("being computed by %s, since %s", v.Lease.Holder.who(), a.ago(v.Lease.Since))
	case hasError:
		return "the last run failed, " + a.ago(v.Error.Modified) + "; the next call runs it again"
	case abandoned:
		return "abandoned: the process that computed it is dead, and the next call takes over"
	case released:
		if v.Lease.Outcome != nil {
			return "not computed; the last run ended as " + outcomeText(*v.Lease.Outcome)
		}
	}
	return "not computed"
}

// section writes the value of one record under a title.
func (o *inspectOptions) section(ctx context.Context, a *app, title string, r *recordView, place memo.Place) {
	if r == nil {
		return
	}
	fmt.Fprintf(a.text, "\n%s (%s)\n", title, a.summary(r))
	a.warn(r)
	o.value(ctx, a, r, place)
}

func (a *app) warn(r *recordView) {
	for line := range strings.SplitSeq(r.warning(), "\n") {
		if line != "" {
			fmt.Fprintf(a.text, "  ! %s\n", progress.Clean(line))
		}
	}
}

// value writes the body of a record.
func (o *inspectOptions) value(ctx context.Context, a *app, r *recordView, place memo.Place) {
	if r.Value == nil {
		return
	}
	var header struct {
		Sources []record.SourceLocation `json:"sources"`
	}
	r.into(&header)
	dynamic.Write(ctx, a.text, r.Value.Value, dynamic.Options{Indent: "  ", Full: o.full, Locate: func(s dynamic.Source) string {
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
func (o *inspectOptions) showError(ctx context.Context, a *app, v *callView) {
	title := "Error of the last failed run"
	if v.State == hasResult {
		title = "Error of an earlier run"
	}
	fmt.Fprintf(a.text, "\n%s (%s)\n", title, a.summary(v.Error))
	a.warn(v.Error)
	o.failure(ctx, a, v.Error)
}

// failure writes what a function did wrong.
func (o *inspectOptions) failure(ctx context.Context, a *app, r *recordView) {
	if r.Value == nil {
		return
	}
	m, ok := r.Value.Value.(dynamic.Map)
	if !ok {
		o.value(ctx, a, r, memo.Place{})
		return
	}
	var f facts
	message, _ := m.Lookup("message")
	text, _ := message.(string)
	f.add("message", text)
	if listed, ok := m.Lookup("types"); ok {
		var names []string
		types, _ := listed.([]any)
		for _, t := range types {
			names = append(names, fmt.Sprint(t))
		}
		f.add("types", strings.Join(names, "\n"))
	}
	if registered, ok := m.Lookup("registered"); ok {
		f.add("registered", registeredError(ctx, registered))
	}
	f.write(a.text, "  ")
	stack, _ := m.Lookup("stack")
	if text, ok := stack.(string); ok && text != "" {
		fmt.Fprintln(a.text, "  stack of the panic")
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		const most = 24
		for i, line := range lines {
			if i == most && !o.full {
				fmt.Fprintf(a.text, "    … %d more lines (--full shows all)\n", len(lines)-most)
				break
			}
			fmt.Fprintf(a.text, "    %s\n", line)
		}
	}
}

// registeredError is an error value that the program knows to make again.
func registeredError(ctx context.Context, value any) string {
	m, _ := value.(dynamic.Map)
	name, _ := m.Lookup("name")
	data, _ := m.Lookup("data")
	bytes, _ := data.([]byte)
	text := fmt.Sprint(name)
	if decoded, err := dynamic.Decode(ctx, bytes); err == nil {
		text += " " + dynamic.Short(decoded, 500)
	}
	return text
}

func (a *app) showLease(v *callView) {
	switch {
	case v.leaseProblem != "":
		fmt.Fprintf(a.text, "\nLease\n  ! %s\n", progress.Clean(v.leaseProblem))
	case v.Lease != nil && v.State != hasResult:
		fmt.Fprintln(a.text, "\nLease")
		a.leaseFacts(v.Lease, false).write(a.text, "  ")
	}
}

// showFields writes what functions recorded of themselves.
func showFields(a *app, v *callView) {
	for _, run := range v.Runs {
		if run.Run == nil || len(run.Run.Fields) == 0 {
			continue
		}
		fmt.Fprintf(a.text, "\nRecorded by run %s\n", run.ID)
		fieldFacts(run.Run.Fields).write(a.text, "  ")
		return // of the newest that has any
	}
}

func fieldFacts(fields map[string]any) (f facts) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		text, err := json.Marshal(fields[key])
		if err == nil {
			f.add(key, string(text))
		}
	}
	return f
}

// withoutEmpty leaves out the columns in which no row but the first says anything.
func withoutEmpty(rows [][]string) [][]string {
	kept := make([][]string, len(rows))
	for column := range rows[0] {
		said := slices.ContainsFunc(rows[1:], func(row []string) bool { return column < len(row) && row[column] != "" })
		for i, row := range rows {
			if said && column < len(row) {
				kept[i] = append(kept[i], row[column])
			}
		}
	}
	return kept
}

// showRecord writes one record for people.
func (o *inspectOptions) showRecord(ctx context.Context, a *app, x address, v *recordView) {
	title := v.Kind
	if x.what == aRecord {
		title += " of " + x.call.Name + "@" + x.call.Version + "  " + explain.Words(x.call.Path())
	}
	fmt.Fprintln(a.text, title)
	var f facts
	f.add("address", v.URI)
	f.add("size", size(v.Bytes))
	f.add("written", a.when(v.Modified))
	if v.Session != nil {
		f.add("process", v.Session.who())
		f.add("state", v.Session.alive())
	}
	if v.Content != nil {
		f.add("sha256", v.Content.SHA256)
	}
	f.write(a.text, "  ")
	a.warn(v)
	switch {
	case v.Lease != nil:
		fmt.Fprintln(a.text, "\nLease")
		a.leaseFacts(v.Lease, false).write(a.text, "  ")
	case v.Content != nil:
		o.showContent(ctx, a, v)
	case len(v.Header) > 0:
		a.showHeader(v)
	}
	switch {
	case v.Kind == string(record.KindError) && v.Value != nil:
		fmt.Fprintln(a.text, "\nError")
		o.failure(ctx, a, v)
	case v.Value != nil:
		fmt.Fprintln(a.text, map[string]string{"result": "\nOutput", "invocation": "\nInput"}[v.Kind])
		o.value(ctx, a, v, x.place())
	}
}

// showHeader writes all that a header says.
func (a *app) showHeader(v *recordView) {
	var text bytes.Buffer
	if json.Indent(&text, v.Header, "  ", "  ") == nil {
		fmt.Fprintf(a.text, "\nHeader\n  %s\n", strings.TrimSpace(text.String()))
	}
}

func (o *inspectOptions) showContent(ctx context.Context, a *app, v *recordView) {
	if v.Content.Files != nil {
		fmt.Fprintf(a.text, "\n%s\n", count(len(v.Content.Files), "file"))
		var rows [][]string
		for i, file := range v.Content.Files {
			if i == 50 && !o.full {
				rows = append(rows, []string{"", fmt.Sprintf("… %d more (--full shows all)", len(v.Content.Files)-i)})
				break
			}
			entry := file.(map[string]any)
			bytes, _ := entry["bytes"].(int64)
			rows = append(rows, []string{size(bytes), fmt.Sprint(entry["path"])})
		}
		table(a.text, "  ", rows, ">")
		return
	}
	if len(v.Content.Start) == 0 {
		return
	}
	fmt.Fprintln(a.text, "\nIt begins with")
	if !v.Content.Text {
		dynamic.Write(ctx, a.text, v.Content.Start, dynamic.Options{Indent: "  "})
		return
	}
	lines := strings.Split(strings.TrimRight(string(v.Content.Start), "\n"), "\n")
	for _, line := range lines[:min(len(lines), 20)] {
		fmt.Fprintf(a.text, "  | %s\n", line)
	}
}
