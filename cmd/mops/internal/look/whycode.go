package look

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// computedView says what computed a result, and whether the code here is the same.
type computedView struct {
	RunID    string         `json:"run_id"`
	At       time.Time      `json:"at,omitzero"`
	Where    string         `json:"where,omitempty"`
	Program  record.Program `json:"program,omitzero"`
	Injected bool           `json:"injected,omitempty"`
	Code     string         `json:"code,omitempty"`
	Func     string         `json:"func,omitempty"`
	Standing standing       `json:"standing"`
	Callee   string         `json:"callee,omitempty"` // the function that Changes and Then are about, if it is another
	Equal    string         `json:"equal,omitempty"`  // when and why it was declared equal
	Here     *hereView      `json:"here,omitempty"`
	Changes  []changeView   `json:"changes,omitempty"`
	Codes    []codeCount    `json:"codes,omitempty"` // of the results of the function, if the code here is not known
	Problem  string         `json:"problem,omitempty"`
	Then     []string       `json:"then,omitempty"`

	then    text.Facts
	from    string // what Changes compares with, if it is not the code here
	declare string // the command that says that the code is equal
}

// computed says what computed the result of a call; nil if it has none. It
// compares with the code here or, if that is not known, with the results that the
// function has in the store.
func (o *whyOptions) computed(ctx context.Context, a *cli.App, x roots.Address) (*computedView, error) {
	header, err := x.Place().ResultHeader(ctx)
	switch {
	case blob.Is(err, blob.NotFound):
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return &computedView{Standing: notCompared, Problem: text.FirstLine(err.Error())}, nil
	}
	v := &computedView{
		RunID: header.RunID, At: header.Run.Ended, Where: view.Where(header.Run), Program: header.Run.Program, Injected: header.Injected,
		Code: header.Code, Func: header.Func, Standing: notCompared,
	}
	if header.Origin == (record.Origin{}) { // nothing to compare with
		return v, nil
	}
	if err := v.compare(ctx, a, x, lookHere(*o.source), header.Origin); err != nil {
		return v, err
	}
	if v.Here.Code == "" {
		v.Codes, err = countCodes(ctx, x.Store, x.Call, o.look)
		if len(v.Codes) > 1 {
			v.compareStored(ctx, x)
		} else {
			v.Codes = nil
		}
		v.Problem = cmp.Or(v.Problem, problemOf(ctx, err))
	}
	v.advise(x)
	return v, ctx.Err()
}

// problemOf is an error that says no more than what could not be looked at.
func problemOf(ctx context.Context, err error) string {
	if err == nil || ctx.Err() != nil {
		return ""
	}
	return text.FirstLine(err.Error())
}

// compare compares with the code here.
func (v *computedView) compare(ctx context.Context, a *cli.App, x roots.Address, h *here, by record.Origin) error {
	mine, err := h.of(ctx, a, x.Call.Name, by.Func)
	if err != nil {
		return err
	}
	view := h.view(mine)
	v.Here = &view
	var equal *code.Same
	v.Standing, equal = stands(mine, by, x.Call.Version)
	if equal != nil {
		v.Equal = equal.Date + ": " + equal.Reason
	}
	if v.Standing == otherCode {
		v.declare = mine.Declare(x.Call.Name, "why", by.Code)
		v.Changes, v.Problem = changesFrom(ctx, x.Store, by.Code, mine.Known(), "there")
		return nil
	}
	if v.Standing == otherVersion || v.Standing == otherFunction {
		return nil
	}
	return v.compareCallees(ctx, a, x, h, by.Callees)
}

// compareCallees looks for a function that the call's calls, and that has other
// code here than it had then.
func (v *computedView) compareCallees(ctx context.Context, a *cli.App, x roots.Address, h *here, callees string) error {
	for each := range strings.SplitSeq(callees, " ") {
		id, hash, found := strings.Cut(each, "=")
		name, version, _ := strings.Cut(id, "@")
		if !found {
			continue
		}
		mine, err := h.of(ctx, a, name, "")
		if err != nil {
			return err
		}
		if s, _ := stands(mine, record.Origin{Code: hash}, version); s != otherCode {
			continue
		}
		v.Standing, v.Callee = otherCallee, id
		v.declare = mine.Declare(name, "why", hash)
		v.Changes, v.Problem = changesFrom(ctx, x.Store, hash, mine.Known(), "there")
		return nil
	}
	return nil
}

// compareStored compares with the newest other code that the results of the
// function have.
func (v *computedView) compareStored(ctx context.Context, x roots.Address) {
	for _, other := range v.Codes {
		if other.Code == v.Code || other.Code == "" || v.Code == "" {
			continue
		}
		described, err := memo.Code(ctx, x.Store, other.Code)
		if err != nil { // another may be described
			continue
		}
		v.Changes, v.Problem = changesFrom(ctx, x.Store, v.Code, described, "in "+code.Short(v.Code))
		v.from = other.Code
		return
	}
}

// advise says what a person can do.
func (v *computedView) advise(x roots.Address) {
	name := x.Call.Name
	function := x.Store.URI(path.Dir(x.Path))
	add := func(when, do string) {
		v.then.Add(when, do)
		v.Then = append(v.Then, when+": "+do)
	}
	switch {
	case v.Standing == otherCode, v.Standing == otherCallee:
		if v.Callee != "" {
			name, _, _ = strings.Cut(v.Callee, "@")
		}
		add("if it computes something else now", "set another Version of "+name)
		add("if it computes the same", v.declare)
		add("to compute such calls again", "MOPS_CODE_CHECK=recompute")
		add("to find out", "mops verify --changed "+function+" -- PROGRAM")
	case v.Standing == otherFunction:
		add("if they are two functions", "give one of them another name than "+name)
	case (v.Standing == sameCode || v.Standing == declaredEqual) && v.Here.Locked != v.Here.Code:
		add("so that programs know it, too", "mops-lock")
	case v.Standing == notCompared && len(v.Codes) > 1:
		add("to compare with the code that you have", "mops why --source DIR "+x.URI())
	}
}

func (v *computedView) show(a *cli.App) {
	fmt.Fprintln(a.Text, "\n"+v.title())
	var f text.Facts
	run := v.RunID
	if v.Where != "" {
		run += ", " + v.Where
	}
	if !v.At.IsZero() {
		run += ", " + text.Ago(v.At, a.Now())
	}
	f.Add("run", run)
	f.Add("program", view.ProgramText(v.Program))
	switch {
	case v.Injected || v.RunID == "":
	case v.Code != "":
		f.Add("code", codeText(record.Origin{Code: v.Code, Func: v.Func}))
	case v.Func != "":
		f.Add("code", "not known, as it was not locked; of "+v.Func)
	default:
		f.Add("code", "not known: its record does not say")
	}
	if v.Here != nil {
		f.Add("here", v.Here.text())
	}
	f.Add("declared equal", v.Equal)
	f.Write(a.Text, "  ")
	if len(v.Codes) > 1 {
		fmt.Fprintln(a.Text, "\nResults of the function in this pipeline")
		showCodes(a, "  ", v.Codes)
	}
	switch {
	case len(v.Changes) > 0 && v.from != "":
		fmt.Fprintf(a.Text, "\nWhat differs in %s, the newest other code\n", code.Short(v.from))
	case len(v.Changes) > 0:
		fmt.Fprintln(a.Text, "\nWhat differs")
	}
	showChanges(a, "  ", v.Changes, v.Problem)
	if len(v.then) > 0 {
		fmt.Fprintln(a.Text, "\nWhat to do")
		v.then.Write(a.Text, "  ")
	}
}

func (v *computedView) title() string {
	switch {
	case v.Injected:
		return "Put there by hand"
	case v.Standing == sameCode:
		return "Computed by the code that is here"
	case v.Standing == declaredEqual:
		return "Computed by code that is declared equal to the code here"
	case v.Standing == otherCode:
		return "Computed by other code than here"
	case v.Standing == otherCallee:
		return "Computed when " + v.Callee + ", which it calls, had other code than here"
	case v.Standing == otherFunction:
		return "Computed by another function than has the name here"
	case v.Standing == otherVersion:
		return "Computed by another version than here, which is " + v.Here.Version
	}
	return "Computed"
}
