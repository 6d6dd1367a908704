package look

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/module"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// changedView is what came of running again what other code computed.
type changedView struct {
	Functions []*changedFunction `json:"functions"` // that the program has and of which there are results
	Others    int                `json:"others"`    // results of functions or versions that it does not have
	Calls     []verifyView       `json:"calls"`
}

// changedFunction is a function of the program.
type changedFunction struct {
	Function string         `json:"function"`
	Version  string         `json:"version"`
	Here     hereView       `json:"here"`
	Same     int            `json:"same"`    // results of the code that the program has, or of equal code
	Unknown  int            `json:"unknown"` // results whose code is not known
	Codes    []*changedCode `json:"codes"`
	Callees  map[string]int `json:"callees,omitempty"` // results that were computed when a function that it calls had other code
	Then     string         `json:"then,omitempty"`

	mine *module.Code
}

// changedCode is other code that computed results of a function.
type changedCode struct {
	Code    string       `json:"code"`
	Func    string       `json:"func,omitempty"`
	Calls   int          `json:"calls"`
	Tried   int          `json:"tried"`
	Passed  int          `json:"passed"`
	Differs int          `json:"differs"`
	Failed  int          `json:"failed"`
	NotRun  int          `json:"not_run"`
	Changes []changeView `json:"changes"`
	Problem string       `json:"problem,omitempty"`

	sample []roots.Address
}

// changedSearch looks for results of other code than a program has.
type changedSearch struct {
	*verifyOptions
	a       *cli.App
	here    *here
	program map[string]worker.FunctionCode
	found   changedView
	results int
}

func (o *verifyOptions) runChanged(ctx context.Context, a *cli.App, line cli.Line) error {
	scopes, err := changedScopes(ctx, a, line.Args)
	if err != nil {
		return err
	}
	s := changedSearch{verifyOptions: o, a: a, here: lookHere(*o.source), found: changedView{Functions: []*changedFunction{}, Calls: []verifyView{}}}
	if s.program, err = programCodes(ctx, a, scopes[0].Store, line.Program); err != nil {
		return err
	}
	for _, x := range scopes {
		if err := s.scan(ctx, x); err != nil {
			return err
		}
	}
	if s.results == 0 {
		return cli.NotFoundf("%s has no results that could be verified", scopes[0].URI())
	}
	slices.SortFunc(s.found.Functions, func(a, b *changedFunction) int { return strings.Compare(a.Function, b.Function) })
	allPassed := true
	for _, f := range s.found.Functions {
		passed, err := s.verifyFunction(ctx, f, line.Program)
		if err != nil {
			return err
		}
		allPassed = allPassed && passed
	}
	if a.JSON {
		err = a.PrintJSON(s.found)
	} else {
		s.showOthers()
	}
	if err == nil && !allPassed {
		err = cli.ErrSaid
	}
	return err
}

// changedScopes are the addresses below which to look: the default root if none
// is given.
func changedScopes(ctx context.Context, a *cli.App, args []string) (all []roots.Address, err error) {
	if len(args) == 0 {
		store, err := roots.Default(ctx, a)
		return []roots.Address{{Store: store}}, err
	}
	for _, arg := range args {
		x, err := roots.Resolve(ctx, a, arg)
		if err != nil {
			return nil, err
		}
		if x.Kind > roots.KindCall {
			return nil, cli.Usagef("%s is no root, pipeline, function or call", x.URI())
		}
		all = append(all, x)
	}
	return all, nil
}

// scan goes through the results below an address.
func (s *changedSearch) scan(ctx context.Context, x roots.Address) error {
	status := s.a.Status(func() string { return "looking for results of other code in " + x.URI() })
	defer status.Stop()
	prefixes := []string{cmp.Or(x.Path, memokey.Format) + "/"}
	if x.Kind == roots.KindGroup {
		prefixes = append(prefixes, x.Path+"@") // the beginning of a function's name, or all of it
	}
	for _, prefix := range prefixes {
		var batch []explain.Listed
		for c, err := range explain.List(ctx, x.Store, prefix) {
			if err != nil {
				return err
			}
			if !c.Result {
				continue
			}
			if batch = append(batch, c); len(batch) == 8*sideBySide {
				if err := s.sort(ctx, x.Store, batch); err != nil {
					return err
				}
				batch = batch[:0]
			}
		}
		if err := s.sort(ctx, x.Store, batch); err != nil {
			return err
		}
	}
	return nil
}

// sort counts results by the code that computed them.
func (s *changedSearch) sort(ctx context.Context, store *blob.Store, calls []explain.Listed) error {
	s.results += len(calls)
	for i, by := range origins(ctx, store, calls) {
		call, err := memokey.Parse(calls[i].Path)
		if err != nil {
			continue
		}
		own, has := s.program[call.Name]
		if !has || own.Version != call.Version {
			s.found.Others++
			continue
		}
		f, err := s.function(ctx, own)
		if err != nil {
			return err
		}
		stands, callee := f.stands(by), changedCallee(s.program, by)
		switch {
		case stands == otherCode:
			f.other(by).add(s, roots.Of(store, call))
		case callee != "":
			// Run again, it would find the old results of the callee: those must be verified.
			if f.Callees == nil {
				f.Callees = map[string]int{}
			}
			f.Callees[callee]++
		case stands == notCompared:
			f.Unknown++
		default:
			f.Same++
		}
	}
	return ctx.Err()
}

// function is one that the program has: by the source where it was built, which
// may have been edited since it was locked, else as the program says.
func (s *changedSearch) function(ctx context.Context, own worker.FunctionCode) (*changedFunction, error) {
	for _, f := range s.found.Functions {
		if f.Function == own.Name {
			return f, nil
		}
	}
	at, mine, err := s.here.ofProgram(ctx, s.a, own)
	if err != nil {
		return nil, err
	}
	f := &changedFunction{Function: own.Name, Version: own.Version, Here: at.view(mine), Codes: []*changedCode{}, mine: mine}
	s.found.Functions = append(s.found.Functions, f)
	return f, nil
}

// ofProgram is the code of a function that a program has: as the source here says
// if the program was built from it, else as the program does.
func (h *here) ofProgram(ctx context.Context, a *cli.App, own worker.FunctionCode) (at *here, mine *module.Code, err error) {
	if mine, err = h.of(ctx, a, own.Name, own.Origin.Func); err != nil {
		return nil, nil, err
	}
	switch {
	case mine.Source == nil || mine.Version != "" && mine.Version != own.Version:
		return &here{}, byProgram(own), nil
	case own.Code != nil && own.Code.Hash == mine.Source.Hash:
		mine.Lock = lockOf(own)
	}
	return h, mine, nil
}

// lockOf is what the lock in the program says; nil if there is none.
func lockOf(own worker.FunctionCode) *code.Locked {
	if own.Code == nil {
		return nil
	}
	return &code.Locked{Name: own.Name, Version: own.Version, Same: own.Same, Fingerprint: *own.Code}
}

// byProgram is the code of a function as the program says.
func byProgram(own worker.FunctionCode) *module.Code {
	c := &module.Code{Version: own.Version, Func: own.Origin.Func, Lock: lockOf(own)}
	if c.Lock == nil {
		c.Problem = "the program has no lock of it (mops-lock writes one)"
	}
	return c
}

// stands says how the code of a result stands to that of the program.
func (f *changedFunction) stands(by record.Origin) standing {
	if by.Code == "" || f.mine.Known() == nil {
		return notCompared
	}
	s, _ := stands(f.mine, by, f.Version)
	return s
}

// other is the code of a result.
func (f *changedFunction) other(by record.Origin) *changedCode {
	for _, c := range f.Codes {
		if c.Code == by.Code {
			return c
		}
	}
	c := &changedCode{Code: by.Code, Func: by.Func, Changes: []changeView{}}
	f.Codes = append(f.Codes, c)
	return c
}

func (c *changedCode) add(s *changedSearch, call roots.Address) {
	c.Calls++
	c.sample = s.draw(c.sample, c.Calls, call)
}

// verifyFunction runs the samples of a function again.
func (s *changedSearch) verifyFunction(ctx context.Context, f *changedFunction, program []string) (allPassed bool, err error) {
	allPassed = true
	slices.SortFunc(f.Codes, func(a, b *changedCode) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Code, b.Code))
	})
	for _, c := range f.Codes {
		for _, call := range inOrder(c.sample) {
			v, err := verify(ctx, s.a, call, program, s.program[f.Function].Origin)
			if err != nil {
				return false, err
			}
			c.count(v.Verdict)
			s.found.Calls = append(s.found.Calls, v)
			allPassed = allPassed && v.Verdict == pass
			if !s.a.JSON {
				showVerdict(s.a, v)
				s.a.Text.Flush()
			}
		}
		changes, problem := changesFrom(ctx, c.sample[0].Store, c.Code, f.mine.Known(), "there")
		c.Changes, c.Problem = append(c.Changes, changes...), problem
	}
	f.conclude()
	if !s.a.JSON {
		f.show(s.a)
		s.a.Text.Flush()
	}
	return allPassed, ctx.Err()
}

func (c *changedCode) count(v verdict) {
	c.Tried++
	switch v {
	case pass:
		c.Passed++
	case differs:
		c.Differs++
	case failed:
		c.Failed++
	case notRun:
		c.NotRun++
	}
}

// conclude says what to do, by what came of all codes.
func (f *changedFunction) conclude() {
	calls, passed, differ := 0, 0, 0
	var equal []string
	for _, c := range f.Codes {
		if c.Passed > 0 {
			equal = append(equal, c.Code)
		}
		calls += c.Calls
		passed += c.Passed
		differ += c.Differs + c.Failed
	}
	switch {
	case differ > 0:
		f.Then = "set another Version of " + f.Function
	case passed > 0:
		f.Then = f.mine.Declare(f.Function, fmt.Sprintf("verified on %s of %s", text.Number(passed), text.Count(calls, "call")), equal...)
	}
}

func (f *changedFunction) show(a *cli.App) {
	name := f.Function + "@" + f.Version
	known := f.mine.Known()
	switch {
	case known == nil:
		fmt.Fprintf(a.Text, "%s: nothing to verify, as its code is not known: %s\n", name, f.mine.Problem)
		return
	case len(f.Codes) == 0 && f.Same == 0 && len(f.Callees) == 0:
		fmt.Fprintf(a.Text, "%s: nothing to verify: of no result is known by which code it was computed\n", name)
		return
	case len(f.Codes) == 0 && f.Same == 0:
		fmt.Fprintf(a.Text, "%s: nothing to verify here\n", name)
	case len(f.Codes) == 0:
		fmt.Fprintf(a.Text, "%s: nothing to verify: %s computed by the code that the program has (%s), or by equal code\n",
			name, were(f.Same), code.Short(known.Hash))
	}
	for _, c := range f.Codes {
		fmt.Fprintf(a.Text, "%s of %s of %s computed by other code (%s): %s\n", text.Number(c.Tried), text.Count(c.Calls, "call"), name, code.Short(c.Code), c.outcome())
		showChanges(a, "  ", c.Changes, c.Problem)
	}
	for _, id := range slices.Sorted(maps.Keys(f.Callees)) {
		fmt.Fprintf(a.Text, "  ! left out: %s computed when %s, which it calls, had other code: verify that one\n", were(f.Callees[id]), id)
	}
	if f.Unknown > 0 {
		fmt.Fprintf(a.Text, "  ! left out: %s whose code is not known\n", text.Count(f.Unknown, "result"))
	}
	if f.mine.Edited() {
		fmt.Fprintln(a.Text, "  ! it was edited since it was locked; the program is taken to be built from these sources")
	}
	if f.Then != "" {
		fmt.Fprintln(a.Text, f.Then)
	}
}

func were(n int) string {
	if n == 1 {
		return "1 result was"
	}
	return text.Number(n) + " results were"
}

// outcome says what came of the sample.
func (c *changedCode) outcome() string {
	parts := []string{text.Number(c.Passed) + " gave the same result"}
	for _, part := range []struct {
		n    int
		what string
	}{{c.Differs, "another"}, {c.Failed, "an error"}, {c.NotRun, "could not be run"}} {
		if part.n > 0 {
			parts = append(parts, text.Number(part.n)+" "+part.what)
		}
	}
	return strings.Join(parts, ", ")
}

func (s *changedSearch) showOthers() {
	if s.found.Others > 0 {
		fmt.Fprintf(s.a.Text, "left out: %s of functions or versions that the program does not have\n", text.Count(s.found.Others, "result"))
	}
}
