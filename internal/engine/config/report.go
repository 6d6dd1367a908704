package config

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Report is all that is to say of settings and where they come from.
type Report struct {
	File      string            `json:"file,omitempty"` // "" if there is none
	How       string            `json:"how,omitempty"`  // it was found
	Unread    []Unread          `json:"unread,omitempty"`
	Function  string            `json:"function,omitempty"` // for which Settings hold; "" means all
	Settings  []Origin          `json:"settings"`
	Functions []FunctionOrigins `json:"functions,omitempty"` // for which others hold
	Program   []Origin          `json:"program"`
	Executors []ExecutorOrigin  `json:"executors,omitempty"`
	Notes     []string          `json:"notes,omitempty"` // what else is to be known
}

// FunctionOrigins are the settings of a function that differ from those of all, or
// come from elsewhere.
type FunctionOrigins struct {
	Name     string   `json:"name"`
	Settings []Origin `json:"settings"`
}

// NewReport begins a report with what variables and file say.
func NewReport(found Found, file *File, lookup func(string) (string, bool), code map[string]string) *Report {
	return &Report{
		File: found.Path, How: found.How, Unread: found.Unread,
		Program: ProgramOrigins(lookup, code), Executors: file.ExecutorOrigins(lookup),
	}
}

// Add adds a function if it differs in anything from what holds for all.
func (r *Report) Add(name string, origins []Origin) {
	if own := Differing(origins, r.Settings); len(own) > 0 {
		r.Functions = append(r.Functions, FunctionOrigins{name, own})
	}
}

// Differing are those origins that are not among the others.
func Differing(origins, others []Origin) (own []Origin) {
	for _, o := range origins {
		if !slices.Contains(others, o) {
			own = append(own, o)
		}
	}
	return own
}

// Write writes the report for people.
func (r *Report) Write(w io.Writer) {
	if r.File == "" {
		fmt.Fprintln(w, "config file: none")
	} else {
		fmt.Fprintf(w, "config file: %s (%s)\n", text.Clean(r.File), r.How)
	}
	for _, u := range r.Unread {
		fmt.Fprintf(w, "  not read: %s: %s\n", text.Clean(u.Path), u.Why)
	}
	if r.Function == "" {
		fmt.Fprintln(w, "\nall functions")
	} else {
		fmt.Fprintf(w, "\n%s\n", text.Clean(r.Function))
	}
	WriteOrigins(w, r.Settings)
	for _, f := range r.Functions {
		fmt.Fprintf(w, "\n%s\n", text.Clean(f.Name))
		WriteOrigins(w, f.Settings)
	}
	fmt.Fprintln(w, "\nthe program")
	WriteOrigins(w, r.Program)
	for i, e := range r.Executors {
		if i == 0 || e.Executor != r.Executors[i-1].Executor {
			fmt.Fprintf(w, "\nexecutors named %s\n", e.Executor)
			var all []Origin
			for _, same := range r.Executors[i:] {
				if same.Executor == e.Executor {
					all = append(all, same.Origin)
				}
			}
			WriteOrigins(w, all)
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

// WriteOrigins writes a line for each setting.
func WriteOrigins(w io.Writer, origins []Origin) {
	var rows [][]string
	for _, o := range origins {
		rows = append(rows, []string{o.Setting, o.Value, o.From})
	}
	text.Table(w, "  ", rows, "")
}

// Unmatched finds the entries that cover none of the functions. Those whose name
// looks like that of one come as sentences to warn with; all others, which may be
// for other programs, in one sentence, "" if there are none.
func (f *File) Unmatched(functions []string) (mistakes []string, others string) {
	var known, unknown []string
	for _, name := range functions {
		for known = append(known, name); strings.Contains(name, "/"); known = append(known, name) {
			name = name[:strings.LastIndex(name, "/")]
		}
	}
	slices.Sort(known)
	for _, entry := range f.Entries {
		if slices.ContainsFunc(functions, func(name string) bool { return covers(entry.Prefix, name) }) {
			continue
		}
		at := fmt.Sprintf("%s:%d", f.Path, entry.Line)
		if meant := words.Nearest(entry.Prefix, known); meant != "" {
			mistakes = append(mistakes, fmt.Sprintf("%s: [function.%q] is about no function of this program; did you mean %q?", at, entry.Prefix, meant))
		} else {
			unknown = append(unknown, fmt.Sprintf("%q (line %d)", entry.Prefix, entry.Line))
		}
	}
	if len(unknown) > 0 {
		others = fmt.Sprintf("%s has entries about no function of this program: %s", f.Path, strings.Join(unknown[:min(len(unknown), mostUnmatched)], ", "))
		if more := len(unknown) - mostUnmatched; more > 0 {
			others += fmt.Sprintf(" and %d more", more)
		}
	}
	return mistakes, others
}

// mostUnmatched is how many entries a sentence names.
const mostUnmatched = 5
