package look

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// judge says whether the outcome is the stored one.
func (v *replayView) judge(ctx context.Context, refused string) {
	then, now := v.Then, v.Now
	switch {
	case refused != "":
		v.Outcome, v.Text = neverBegan, refused
	case !v.began:
		v.Outcome, v.Text = neverBegan, "no process of the command ran the call: a program that calls mops.Main, or mops.Init first of all in main, does"
	case now == nil:
		v.Outcome = unfinished
		v.Text = fmt.Sprintf("the function did not return: its process ended first (it called os.Exit, was killed, or a debugger was left); the command exited with code %d", v.Exit)
		if then != nil {
			v.Text += "; then it " + then.text()
		}
	case then == nil:
		v.Outcome, v.Text = notStored, "it "+now.text()+"; no outcome of an earlier run is stored"
	case then.body != nil && now.body != nil && bytes.Equal(then.body, now.body):
		v.Outcome, v.Text = sameOutcome, "it returned the stored result, byte for byte"
	case then.body != nil && now.body != nil:
		verified := verifyView{}
		verified.compareBodies(ctx, then.body, now.body)
		v.Outcome, v.Differences = otherOutcome, verified.Differences
		v.Text = cmp.Or(verified.Problem, "it returned another result than the stored one")
	case then.failure != nil && now.failure != nil && then.alike(now):
		v.Outcome, v.Text = sameOutcome, "it "+now.text()+", as it did then"
	default:
		v.Outcome, v.Text = otherOutcome, "it "+now.text()+"; then it "+then.text()
	}
	if now != nil && now.failure != nil && now.failure.Transient {
		v.Notes = append(v.Notes, "the failure is not the function's: something below it failed, such as the store, or a file that is gone")
	}
}

// alike compares two failures of the function.
func (e *ending) alike(other *ending) bool {
	return e.Message == other.Message && e.Outcome == other.Outcome && slices.Equal(e.failure.Types, other.failure.Types)
}

// text says how the run ended, with "it" before it.
func (e *ending) text() string {
	switch {
	case e.body != nil:
		return "returned a result"
	case e.failure != nil && e.failure.Panic:
		return "panicked: " + strings.TrimPrefix(e.Message, "panic: ")
	case e.failure != nil:
		of := ""
		if len(e.failure.Types) > 0 && e.failure.Types[0] != "*errors.errorString" {
			of = " (" + e.failure.Types[0] + ")"
		}
		return "failed: " + e.Message + of
	}
	return strings.TrimSuffix("ended as "+string(e.Outcome)+": "+e.Message, ": ")
}

// compare sets side by side what the records say of two runs.
func (v *replayView) compare(then, now ending, modules []string) {
	add := func(what, then, now string) {
		v.Compared = append(v.Compared, compared{what, then, now, then != "" && now != "" && then != now})
	}
	platform := func(r record.Run) string { return strings.Trim(r.OS+"/"+r.Arch, "/") }
	limit := func(r record.Run) string {
		if r.MemoryLimit > 0 {
			return text.Bytes(r.MemoryLimit)
		}
		return ""
	}
	a, b := then.Run, now.Run
	add("program", a.Program.Path, b.Program.Path)
	add("version", a.Program.Version, b.Program.Version)
	add("revision", view.Revision(a.Program), view.Revision(b.Program))
	add("Go", a.Program.Go, b.Program.Go)
	add("platform", platform(a), platform(b))
	add("function", then.origin.Func, now.origin.Func)
	add("code", code.Short(then.origin.Code), code.Short(now.origin.Code))
	add("where", view.Where(a), view.Where(b))
	if limit(a) != limit(b) {
		add("memory limit", cmp.Or(limit(a), "none"), cmp.Or(limit(b), "none"))
	}
	if len(b.Modules) == 0 {
		b.Modules = modules
	}
	if len(a.Modules) > 0 && len(b.Modules) > 0 { // records of long runs have them
		old, new := versions(a.Modules), versions(b.Modules)
		for _, path := range slices.Sorted(maps.Keys(old)) {
			if old[path] != new[path] {
				add("module "+path, old[path], cmp.Or(new[path], "none"))
			}
		}
		for _, path := range slices.Sorted(maps.Keys(new)) {
			if old[path] == "" {
				add("module "+path, "none", new[path])
			}
		}
	}
}

// versions are those of modules, by their paths.
func versions(modules []string) map[string]string {
	all := map[string]string{}
	for _, m := range modules {
		path, version, _ := strings.Cut(m, "@")
		all[path] = cmp.Or(version, "of a folder")
	}
	return all
}

// compareCode says what has changed in the code of the function, and in that of the
// functions that it calls.
func (v *replayView) compareCode(ctx context.Context, a *cli.App, x roots.Address, now record.Origin, own worker.FunctionCode, source string) error {
	then := v.stored.origin
	if then.Callees != now.Callees && then.Callees != "" && now.Callees != "" {
		v.Notes = append(v.Notes, "functions that it calls have other code now")
	}
	if own.Name == "" || then.Code == "" {
		return nil
	}
	at, mine, err := lookHere(source).ofProgram(ctx, a, own)
	if err != nil {
		return err
	}
	switch is, equal := stands(mine, then, own.Version); {
	case is == declaredEqual:
		v.Notes = append(v.Notes, "the lock declares the code equal to that of then: "+equal.Reason)
	case is == otherCode:
		changes, problem := changesFrom(ctx, x.Store, then.Code, mine.Known(), "then")
		if v.Changes = append(v.Changes, changes...); problem != "" {
			v.Notes = append(v.Notes, problem)
		}
	}
	if mine.Edited() {
		v.Notes = append(v.Notes, "the function was edited since it was locked: its code in "+at.module.Dir+" is "+code.Short(mine.Source.Hash))
	}
	return nil
}

// keepOutDirs notes the folders in which the function left files.
func (v *replayView) keepOutDirs(dir string) {
	made, _ := filepath.Glob(filepath.Join(dir, "mops-out-*"))
	for _, out := range made {
		if os.Remove(out) != nil { // it is not empty
			v.OutDirs = append(v.OutDirs, out)
		}
	}
}

// show writes what came of it for people, on standard error: standard output is the
// command's.
func (v *replayView) show(a *cli.App, x roots.Address) {
	to := *a
	to.Text = cli.NewTextWriter(a.Stderr)
	defer to.Text.Flush()
	word := strings.ToUpper(strings.ReplaceAll(string(v.Outcome), "_", " "))
	fmt.Fprintf(to.Text, "mops replay: %s  %s  %s\n", word, words.Of(x.Call.Path()), x.Call.Name+"@"+x.Call.Version)
	fmt.Fprintf(to.Text, "  %s\n", strings.ReplaceAll(text.CleanLines(v.Text), "\n", "\n    "))
	showDifferences(&to, "    ", v.Differences, 20, "stored", "now")
	for _, dir := range v.OutDirs {
		fmt.Fprintf(to.Text, "  OutDir  %s\n", dir)
	}
	if v.Then != nil {
		took := text.Seconds(v.Then.Run.WallSeconds)
		if v.Now != nil {
			took += " then, " + text.Seconds(v.Now.Run.WallSeconds) + " now"
		}
		fmt.Fprintf(to.Text, "  then    run %s, %s; it took %s\n", v.Then.RunID, text.Ago(v.Then.Run.Ended, a.Now()), took)
	}
	v.showCompared(&to)
	showChanges(&to, "  code: ", v.Changes, "")
	for _, note := range v.Notes {
		fmt.Fprintf(to.Text, "  ! %s\n", note)
	}
}

func (v *replayView) showCompared(to *cli.App) {
	rows := [][]string{{"differs", "then", "now"}}
	var same, unknown []string
	for _, c := range v.Compared {
		switch {
		case c.Differs:
			rows = append(rows, []string{c.What, c.Then, c.Now})
		case c.Then == c.Now && c.Now != "":
			same = append(same, c.What+" "+c.Now)
		case c.Then != "":
			unknown = append(unknown, c.What+" ("+c.Then+" then)")
		case c.Now != "":
			unknown = append(unknown, c.What+" ("+c.Now+" now)")
		default:
			unknown = append(unknown, c.What)
		}
	}
	if len(rows) > 1 {
		text.Table(to.Text, "  ", rows, "")
	}
	if len(same) > 0 {
		fmt.Fprintf(to.Text, "  the same: %s\n", strings.Join(same, ", "))
	}
	if len(unknown) > 0 {
		fmt.Fprintf(to.Text, "  not known of both: %s\n", strings.Join(unknown, ", "))
	}
}
