package look

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/lineage"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// lineageTree writes a call's lineage for people: a tree in which each call has its
// branches once.
type lineageTree struct {
	a     *cli.App
	g     *lineage.Graph
	o     *lineageOptions
	shown map[string]bool
}

// mostAlike is how many calls of one function are shown in a row.
const mostAlike = 8

func (t *lineageTree) write(v lineageView) {
	c := v.Calls[0]
	fmt.Fprintf(t.a.Text, "%s\n", t.label(t.g.Call(v.at)))
	var f text.Facts
	f.Add("call", c.URI)
	f.Add("run", c.RunID)
	f.Add("program's run", c.ProgramRun)
	f.Add("called by", c.Caller)
	f.Write(t.a.Text, "  ")
	fmt.Fprintln(t.a.Text, "\nMade from")
	t.shown = map[string]bool{}
	t.branches(v.at, "", 1, t.madeFrom)
	if !v.Whole {
		return
	}
	fmt.Fprintf(t.a.Text, "\nMade from it (of %s in %s)\n", text.Count(v.Looked, "call"), v.Root)
	t.shown = map[string]bool{}
	t.branches(v.at, "", 1, t.madeInto)
}

// branch is one line of the tree.
type branch struct {
	text string
	name string // of the call that it leads to; "" for none
	kind string // of which only so many are shown in a row; "" for those that are always shown
}

// branches writes what is below a call.
func (t *lineageTree) branches(name, indent string, depth int, of func(string) []branch) {
	t.shown[name] = true
	all := t.shortened(of(name))
	if depth == 1 && len(all) == 0 {
		fmt.Fprintln(t.a.Text, "└─ nothing, as far as records say")
	}
	for i, b := range all {
		fork, below := "├─ ", "│  "
		if i == len(all)-1 {
			fork, below = "└─ ", "   "
		}
		line := indent + fork + b.text
		deeper := b.name != "" && len(of(b.name)) > 0
		switch {
		case deeper && t.shown[b.name]:
			line, deeper = line+"  (see above)", false
		case deeper && depth == t.o.depth:
			line, deeper = line+"  …", false
		}
		fmt.Fprintln(t.a.Text, text.Clean(line)) // a name may have an end of line in it
		if deeper {
			t.branches(b.name, indent+below, depth+1, of)
		}
	}
}

// shortened leaves a few of those that are alike.
func (t *lineageTree) shortened(all []branch) (few []branch) {
	alike := map[string]int{}
	for _, b := range all {
		alike[b.kind]++
	}
	passed := map[string]int{}
	for _, b := range all {
		passed[b.kind]++
		switch more := alike[b.kind] - mostAlike; {
		case t.o.all || b.kind == "" || passed[b.kind] <= mostAlike || more == 1:
			few = append(few, b)
		case passed[b.kind] == mostAlike+1:
			few = append(few, branch{text: fmt.Sprintf("… and %s more %s (--all shows them)", text.Number(more), b.kind)})
		}
	}
	return few
}

func (t *lineageTree) madeFrom(name string) (all []branch) {
	c := t.g.Call(name)
	for _, e := range t.g.From(name) {
		other := t.g.Call(e.From)
		line, kind := "called "+t.label(other), "calls of "
		if e.How == lineage.Read {
			line, kind = fmt.Sprintf("read %s of %s", sourceText(e.Source), t.label(other)), "sources of "
		}
		all = append(all, branch{line, e.From, kind + functionOf(other)})
	}
	for _, s := range c.Sources {
		if s.From == "" {
			line := "read " + sourceText(s)
			if place := lineage.PlaceOf(s); place != "" {
				line += ", " + place
			}
			all = append(all, branch{text: line, kind: "sources"})
		}
	}
	if c.MoreMade > 0 {
		all = append(all, branch{text: fmt.Sprintf("called %s more, which its record does not list", text.Number(c.MoreMade))})
	}
	if c.Unknown != "" {
		all = append(all, branch{text: "not known: " + c.Unknown})
	}
	return all
}

func (t *lineageTree) madeInto(name string) (all []branch) {
	for _, e := range t.g.Into(name) {
		other := t.g.Call(e.Of)
		line := t.label(other) + ", which called it"
		if e.How == lineage.Read {
			line = fmt.Sprintf("%s, which read %s of it", t.label(other), sourceText(e.Source))
		}
		all = append(all, branch{line, e.Of, "calls of " + functionOf(other)})
	}
	return all
}

// label is "forecast/train@2 amber-kite-river".
func (t *lineageTree) label(c *lineage.Call) string {
	if c.Home.Name == "" || c.Home.Root != "" {
		return t.g.URI(c.Name)
	}
	return functionOf(c) + " " + wordsOf(c)
}

func functionOf(c *lineage.Call) string {
	if c.Home.Name == "" {
		return "others"
	}
	return c.Home.Name + "@" + c.Home.Version
}

// sourceText is "a file of 12 bytes".
func sourceText(s record.SourceLocation) string {
	kind := map[string]string{"dir": "folder", "value": "shared value"}[s.Kind]
	return "a " + cmp.Or(kind, s.Kind, "file") + " of " + text.Bytes(s.Size)
}

// writeDot writes the graph in the language of Graphviz.
func (v *lineageView) writeDot(w io.Writer) {
	fmt.Fprint(w, "digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n")
	for i, c := range v.Calls {
		label, style := c.URI, ""
		if c.Function != "" {
			label = c.Function + "@" + c.Version + "\n" + c.Words
		}
		switch {
		case i == 0:
			style = ", style=bold"
		case c.Unknown != "":
			label, style = label+"\n("+c.Unknown+")", ", style=dashed"
		}
		fmt.Fprintf(w, "  %s [label=%s%s];\n", dotQuoted(c.URI), dotQuoted(label), style)
	}
	for _, in := range v.Inputs {
		source := "sha256 " + in.SHA256
		fmt.Fprintf(w, "  %s [label=%s, shape=note];\n  %s -> %s;\n", dotQuoted(source), dotQuoted(cmp.Or(in.At, in.Kind)+"\n"+text.Bytes(in.Bytes)),
			dotQuoted(source), dotQuoted(in.Of))
	}
	for _, e := range v.Edges {
		label := string(e.How)
		if e.Source != nil {
			label = e.Source.Kind + ", " + text.Bytes(e.Source.Bytes)
		}
		fmt.Fprintf(w, "  %s -> %s [label=%s];\n", dotQuoted(e.From), dotQuoted(e.Of), dotQuoted(label))
	}
	fmt.Fprintln(w, "}")
}

// dotQuoted is a string of Graphviz, in which nothing but its own ends of lines acts.
func dotQuoted(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text.Clean(line))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
