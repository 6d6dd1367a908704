package look

import (
	"context"
	"fmt"
	"strings"

	flag "github.com/spf13/pflag"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/module"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// standing is how the code that made a result stands to the code here.
type standing string

const (
	sameCode      standing = "same"
	declaredEqual standing = "declared_equal" // by the lock here
	otherCode     standing = "other"
	otherCallee   standing = "other callee"   // a function that it calls has other code
	otherFunction standing = "other_function" // one of the two has no known code
	otherVersion  standing = "other_version"  // so that the result is no hit here
	notCompared   standing = "unknown"
)

// sourceFlag defines the flag that says where "here" is.
func sourceFlag(flags *flag.FlagSet) *string {
	return flags.String("source", "", "compare with the code of the module around `DIR`; default: the current folder")
}

// here is the code of the module around a folder.
type here struct {
	module  *module.Module
	problem string // why there is none
}

func lookHere(dir string) *here {
	m, err := module.Around(dir)
	if err != nil {
		return &here{problem: err.Error()}
	}
	return &here{module: m}
}

// of is the code of a function here; defined is where a record says that it is
// defined. The error is the context's.
func (h *here) of(ctx context.Context, a *cli.App, name, defined string) (*module.Code, error) {
	if h.module == nil {
		return &module.Code{Problem: h.problem}, nil
	}
	status := a.Status(func() string { return "reading the code of " + name + " in " + h.module.Dir })
	defer status.Stop()
	return h.module.Code(ctx, name, defined)
}

// stands says how code that made a result of a version stands to the code here.
func stands(mine *module.Code, by record.Origin, version string) (s standing, equal *code.Same) {
	known := mine.Known()
	switch {
	case mine.Version != "" && mine.Version != version:
		return otherVersion, nil
	case known != nil && by.Code != "":
		same, equal := mine.Accepts(by.Code)
		switch {
		case same:
			return sameCode, nil
		case equal != nil:
			return declaredEqual, equal
		}
		return otherCode, nil
	case by.Func != "" && mine.Func != "" && known != nil && !sameFunction(by.Func, mine.Func):
		return otherFunction, nil
	}
	return notCompared, nil
}

// changedCallee is a function that was called for a result, and that has other
// code in the program, as its lock states; "" if there is none.
func changedCallee(program map[string]worker.FunctionCode, by record.Origin) string {
	for each := range strings.SplitSeq(by.Callees, " ") {
		id, hash, _ := strings.Cut(each, "=")
		name, version, _ := strings.Cut(id, "@")
		own, has := program[name]
		if !has {
			continue
		}
		if is, _ := stands(byProgram(own), record.Origin{Code: hash}, version); is == otherCode {
			return id
		}
	}
	return ""
}

// sameFunction says that two places may be of one function. Function literals go
// by what they stand in, so no more can be said of them.
func sameFunction(a, b string) bool {
	a, b = strings.TrimSuffix(a, "[...]"), strings.TrimSuffix(b, "[...]") // of instances
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// changeView is a declaration that differs between two codes.
type changeView struct {
	Text  string     `json:"text"`
	What  string     `json:"what"` // changed, new or gone
	Name  string     `json:"name"`
	Kind  code.Kind  `json:"kind,omitempty"`
	Here  *placeView `json:"here,omitempty"`
	There *placeView `json:"there,omitempty"`
}

type placeView struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Version string `json:"version,omitempty"`
}

// changesFrom says what differs from the code with a hash, which a store may
// describe, and why no more can be said.
func changesFrom(ctx context.Context, store *blob.Store, theirs string, mine *code.Fingerprint, there string) (views []changeView, problem string) {
	before, err := memo.Code(ctx, store, theirs)
	switch {
	case blob.Is(err, blob.NotFound):
		return nil, "what differs cannot be named: the store does not say which declarations " + code.Short(theirs) + " stands for"
	case err != nil:
		return nil, "what differs cannot be named: " + err.Error()
	}
	for _, c := range code.Diff(before, mine) {
		view := changeView{Text: c.Both(there), What: c.What, Name: c.Subject(), Here: placeOf(c.After), There: placeOf(c.Before)}
		if d := c.After; d != nil {
			view.Kind = d.Kind
		} else if d := c.Before; d != nil {
			view.Kind = d.Kind
		}
		views = append(views, view)
	}
	return views, ""
}

func placeOf(d *code.Decl) *placeView {
	if d == nil {
		return nil
	}
	return &placeView{d.File, d.Line, d.Version}
}

func (p placeView) String() string {
	switch {
	case p.Version != "":
		return p.Version
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return p.File
}

// mostChanges is how many changes are shown to people.
const mostChanges = 12

func showChanges(a *cli.App, indent string, changes []changeView, problem string) {
	for i, c := range changes {
		if i == mostChanges {
			fmt.Fprintf(a.Text, "%s… %s more (--json has them all)\n", indent, text.Number(len(changes)-i))
			break
		}
		fmt.Fprintln(a.Text, indent+c.Text)
	}
	if problem != "" {
		fmt.Fprintf(a.Text, "%s! %s\n", indent, problem)
	}
}

// hereView is the code of a function here.
type hereView struct {
	Module  string `json:"module,omitempty"` // its folder
	Version string `json:"version,omitempty"`
	Code    string `json:"code,omitempty"`
	By      string `json:"by,omitempty"` // source, or lock where the source could not be read
	Func    string `json:"func,omitempty"`
	Locked  string `json:"locked,omitempty"` // the code that its lock states
	Problem string `json:"problem,omitempty"`
}

func (h *here) view(mine *module.Code) hereView {
	v := hereView{Version: mine.Version, Func: mine.Func, Problem: mine.Problem}
	if h.module != nil {
		v.Module = h.module.Dir
	}
	if known := mine.Known(); known != nil {
		v.Code, v.By = known.Hash, "source"
	}
	if mine.Source == nil && mine.Lock != nil {
		v.By = "lock"
	}
	if mine.Lock != nil {
		v.Locked = mine.Lock.Hash
	}
	return v
}

// text is the code here in a line.
func (v hereView) text() string {
	if v.Code == "" {
		return "not known: " + v.Problem
	}
	line := codeText(record.Origin{Code: v.Code, Func: v.Func})
	switch {
	case v.By == "lock":
		line += ", as its lock states: " + v.Problem
	case v.Locked == "" && v.Problem != "":
		line += ", not locked as far as can be read: " + v.Problem
	case v.Locked == "":
		line += ", not locked"
	case v.Locked != v.Code:
		line += ", edited since it was locked"
	}
	return line
}

// codeText is the code that made something, and its place; "" if neither is known.
func codeText(by record.Origin) string {
	switch {
	case by.Code == "":
		return by.Func
	case by.Func == "":
		return code.Short(by.Code)
	}
	return code.Short(by.Code) + " of " + by.Func
}
