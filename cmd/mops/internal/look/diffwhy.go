package look

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// explainer says why the calls of two runs differ. Calls of one function have most
// reasons in common, so it reads one of each run for these; only where inputs differ does
// it read them all.
type explainer struct {
	sides   [2]side
	changes programs.Changes
	look    int // inputs of a function that are compared, of each run

	all   []explanation
	codes [2]map[string]record.Origin // by function, name@version
	read  atomic.Int64
}

func (e *explainer) status() string {
	return text.Count(e.read.Load(), "record") + " read"
}

// note counts calls with a reason.
func (e *explainer) note(function, why, example string, calls int) {
	i := slices.IndexFunc(e.all, func(x explanation) bool { return x.Function == function && x.Why == why })
	if i < 0 {
		i = len(e.all)
		e.all = append(e.all, explanation{Function: function, Why: why, Example: example})
	}
	e.all[i].Calls += calls
}

func (e *explainer) explain(ctx context.Context) ([]explanation, error) {
	e.all = []explanation{}
	var fresh [][]*programs.Call
	at := map[string]int{} // by function, name@version
	for _, x := range e.changes.New {
		i, known := at[x.After.Function]
		if !known {
			i = len(fresh)
			at[x.After.Function], fresh = i, append(fresh, nil)
		}
		fresh[i] = append(fresh[i], x.After)
	}
	for _, calls := range fresh {
		if err := e.whyNew(ctx, calls); err != nil {
			return nil, err
		}
	}
	for _, x := range e.changes.Again {
		why := "computed again: " + cmp.Or(x.After.Why, whyAgain(e.sides[1].run))
		if x.After.Why == "" {
			if changed, _ := e.otherCode(ctx, x); changed != "" {
				why += "; its code changed: " + changed
			}
		}
		e.note(x.After.Name(), why, "", 1)
	}
	for _, x := range e.changes.Other {
		e.note(x.After.Name(), "with other results: "+e.whyOther(ctx, x), "", 1)
	}
	return e.all, context.Cause(ctx)
}

// whyAgain is why a run computed a call of which the program said nothing.
func whyAgain(run *programs.Run) string {
	if run.Options["refresh"] != "" {
		return "it was to be refreshed"
	}
	return "its result was not there any more, or not kept"
}

func (e *explainer) whyOther(ctx context.Context, x programs.Change) string {
	switch changed, known := e.otherCode(ctx, x); {
	case changed != "":
		return "the code changed: " + changed
	case known:
		return "by the same code: it is not a pure function, or something around it changed; mops verify computes a call again"
	}
	return "whether its code changed is not known"
}

// whyNew says why calls of a function, of one version, are new.
func (e *explainer) whyNew(ctx context.Context, calls []*programs.Call) error {
	name := calls[0].Name()
	before := ofFunction(e.sides[0].run, name)
	if len(before) == 0 {
		e.note(name, "new: the run before made no call of it", "", len(calls))
		return nil
	}
	// Those of the same version first: only where there is none it is the version that differs.
	slices.SortStableFunc(before, func(a, b *programs.Call) int {
		return cmp.Compare(boolOf(a.Function != calls[0].Function), boolOf(b.Function != calls[0].Function))
	})
	is, known := e.firstOf(ctx, 1, calls)
	was, too := e.firstOf(ctx, 0, before)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case before[0].Function != calls[0].Function && !(known && too):
		e.note(name, "new: the version", calls[0].Function+" after, "+before[0].Function+" before", len(calls))
		return nil
	case !known || !too:
		e.note(name, "new: in what they differ from those before is not known, as their invocations cannot be read", "", len(calls))
		return nil
	}
	is.HasInput = false
	if common := explain.Compare(is, was); len(common) > 0 {
		e.note(name, "new: "+subjects(common), common[0].Between("after", "before"), len(calls))
		return nil
	}
	return e.whyInputs(ctx, name, calls, slices.DeleteFunc(before, func(c *programs.Call) bool { return c.Function != calls[0].Function }))
}

func boolOf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// ofFunction are the calls of a run of a function of any version, each once.
func ofFunction(run *programs.Run, name string) (calls []*programs.Call) {
	seen := map[string]bool{}
	for i := range run.Calls {
		if c := &run.Calls[i]; c.Name() == name && !seen[c.Memo] {
			seen[c.Memo] = true
			calls = append(calls, c)
		}
	}
	return calls
}

// fewTried is how many calls are tried where any will do: gc may have removed some.
const fewTried = 8

// firstOf reads the first call that can be read.
func (e *explainer) firstOf(ctx context.Context, of int, calls []*programs.Call) (explain.Call, bool) {
	for _, c := range calls[:min(len(calls), fewTried)] {
		if place, ok := e.place(of, c); ok {
			if read, err := explain.Read(ctx, place); err == nil {
				e.read.Add(1)
				return read, true
			}
		}
	}
	return explain.Call{}, false
}

// place is where the records of a call lie, if that is in the root of its run.
func (e *explainer) place(of int, c *programs.Call) (memo.Place, bool) {
	if strings.Contains(c.Memo, "://") {
		return memo.Place{}, false
	}
	at, err := memokey.Parse(c.Memo)
	return memo.Place{Store: e.sides[of].store, Path: at.Path(), Key: at.Key}, err == nil
}

// mostClosest is how often all inputs are gone through for an example.
const mostClosest = 20

// whyInputs says in which fields the inputs of new calls differ from those before.
func (e *explainer) whyInputs(ctx context.Context, name string, calls, before []*programs.Call) error {
	var known explain.Inputs
	var of []*programs.Call // by their number there
	err := e.inputs(ctx, 0, before, func(c *programs.Call, input any) {
		known.Add(input)
		of = append(of, c)
	})
	if err != nil {
		return err
	}
	first := map[string]bool{}
	compared := 0
	err = e.inputs(ctx, 1, calls, func(c *programs.Call, input any) {
		compared++
		near := known.Nearest(input)
		why := "new: " + several(near.Fields)
		if len(near.Fields) == 0 {
			why = "new: no call had this combination of values"
		} else if near.Call < 0 {
			why += ", with values that no call had"
		}
		example := ""
		if !first[why] {
			if first[why] = true; near.Call < 0 && len(of) > 0 && len(first) <= mostClosest {
				near.Call = known.Closest(input)
			}
			if near.Call >= 0 {
				example = e.example(ctx, c, of[near.Call])
			}
		}
		e.note(name, why, example, 1)
	})
	if more := len(calls) - compared; err == nil && more > 0 {
		e.note(name, fmt.Sprintf("new: their inputs were not compared, as they cannot be read or are more than %s (--look N)", text.Number(e.look)), "", more)
	}
	return err
}

// example says in what a call differs from one before.
func (e *explainer) example(ctx context.Context, after, before *programs.Call) string {
	is, ok := e.firstOf(ctx, 1, []*programs.Call{after})
	was, too := e.firstOf(ctx, 0, []*programs.Call{before})
	if differences := explain.Compare(is, was); ok && too && len(differences) > 0 {
		return differences[0].Between("after", "before")
	}
	return ""
}

// inputs reads the inputs of calls side by side, and hands on those that can be read, in
// their order.
func (e *explainer) inputs(ctx context.Context, of int, calls []*programs.Call, each func(*programs.Call, any)) error {
	width, together := readAtOnce, 1024
	if e.sides[of].store.IsLocal() {
		width = readHere
	}
	calls = calls[:min(len(calls), e.look)]
	for part := range slices.Chunk(calls, together) {
		read, ok := make([]any, len(part)), make([]bool, len(part))
		var next atomic.Int64
		var group errgroup.Group
		for range min(width, len(part)) {
			group.Go(func() error {
				for i := int(next.Add(1)) - 1; i < len(part) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
					read[i], ok[i] = e.input(ctx, of, part[i])
				}
				return nil
			})
		}
		group.Wait()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for i, c := range part {
			if ok[i] {
				each(c, read[i])
			}
		}
	}
	return nil
}

func (e *explainer) input(ctx context.Context, of int, c *programs.Call) (any, bool) {
	place, ok := e.place(of, c)
	if !ok {
		return nil, false
	}
	found, err := place.Invocation(ctx)
	e.read.Add(1)
	if err != nil {
		return nil, false
	}
	input, err := dynamic.Decode(ctx, found.Body)
	return input, err == nil
}

// otherCode names what differs between the code that made the two results of a call, in
// a line; known is false if one of the two is not known.
func (e *explainer) otherCode(ctx context.Context, x programs.Change) (changed string, known bool) {
	was, is := e.codeOf(ctx, 0, x.Before.Function), e.codeOf(ctx, 1, x.After.Function)
	if was.Code == "" || is.Code == "" {
		return "", false
	}
	if was.Code != is.Code {
		return e.changed(ctx, was.Code, is.Code), true
	}
	before := map[string]string{}
	for each := range strings.SplitSeq(was.Callees, " ") {
		id, hash, _ := strings.Cut(each, "=")
		before[id] = hash
	}
	for each := range strings.SplitSeq(is.Callees, " ") {
		if id, hash, _ := strings.Cut(each, "="); before[id] != "" && before[id] != hash {
			return id + ", which it calls: " + e.changed(ctx, before[id], hash), true
		}
	}
	return "", true
}

// changed names the declarations that differ between two codes.
func (e *explainer) changed(ctx context.Context, was, is string) string {
	described := e.described(ctx, is)
	if described == nil {
		return fmt.Sprintf("it was %s and is %s", code.Short(was), code.Short(is))
	}
	for _, side := range e.sides {
		if before, err := memo.Code(ctx, side.store, was); err == nil {
			return code.Named(code.Diff(before, described), 3)
		}
	}
	return fmt.Sprintf("it was %s and is %s", code.Short(was), code.Short(is))
}

func (e *explainer) described(ctx context.Context, hash string) *code.Fingerprint {
	for _, side := range e.sides {
		if found, err := memo.Code(ctx, side.store, hash); err == nil {
			return found
		}
	}
	return nil
}

// codeOf is by which code the results of a function were computed that a run made or
// used, as a record says of one of them.
func (e *explainer) codeOf(ctx context.Context, of int, function string) record.Origin {
	if e.codes[of] == nil {
		e.codes[of] = map[string]record.Origin{}
	}
	if known, ok := e.codes[of][function]; ok {
		return known
	}
	found, tried := record.Origin{}, 0
	for i := range e.sides[of].run.Calls {
		c := &e.sides[of].run.Calls[i]
		if c.Function != function || c.Run == "" {
			continue
		}
		if tried++; tried > fewTried {
			break
		}
		if found = e.origin(ctx, of, c); found.Code != "" {
			break
		}
	}
	e.codes[of][function] = found
	return found
}

// origin is the code of the run of a call: the result names it or, if a later run has
// replaced that, the invocation that was written for it.
func (e *explainer) origin(ctx context.Context, of int, c *programs.Call) record.Origin {
	place, ok := e.place(of, c)
	if !ok {
		return record.Origin{}
	}
	for _, kind := range []record.Kind{record.KindResult, record.KindInvocation} {
		var head record.Head
		header, err := place.Header(ctx, kind)
		e.read.Add(1)
		if err != nil {
			continue
		}
		if err := (record.Record{Header: header}).Into(&head); err == nil && head.RunID == c.Run && head.Code != "" {
			return head.Origin
		}
	}
	return record.Origin{}
}
