package look

import (
	"context"
	"errors"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/query"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// load reads as much of a call as the query asks for. What is wrong with its records
// is counted, and no error.
func (f *finder) load(ctx context.Context, c *candidate, m *memory) error {
	call, err := memokey.Parse(c.Path)
	if err != nil {
		return nil // it is none
	}
	c.of = call
	place := memo.Place{Store: f.of.Store, Path: c.Path, Key: call.Key}
	names := f.q.Variables()
	l := loader{finder: f, candidate: c, memory: m, place: place, call: &query.Call{
		Key:    query.Key{Function: call.Name + "@" + call.Version},
		Values: make(map[string]any, len(names)),
	}}
	for _, name := range names {
		l.call.Values[name] = l.listed(name)
	}
	switch err := l.load(ctx); {
	case errors.Is(err, errLeftOut):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		why, known := unreadable(err)
		if !known {
			return err
		}
		f.print.trouble(why, place.URI(), err)
		return nil
	}
	f.q.Learn(l.call)
	c.known = l.call
	return nil
}

// errLeftOut says that a call is not one that is asked for.
var errLeftOut = errors.New("not asked for")

// memory is what one who reads calls remembers of the calls before, which have it in
// common.
type memory struct {
	sights view.Sights // of sessions
	types  record.TypesReader
}

type loader struct {
	*finder
	*candidate
	*memory
	place memo.Place
	call  *query.Call
}

// listed is what a variable stands for before anything was read.
func (l *loader) listed(name string) any {
	switch name {
	case "Function":
		return l.candidate.of.Name
	case "Version":
		return l.candidate.of.Version
	case "Pipeline":
		return l.candidate.of.Pipeline
	case "URI":
		return l.place.URI()
	case "Words":
		return words.Of(l.Path)
	case "Bytes":
		return l.Bytes
	case "Oldest":
		return l.Oldest
	case "Newest":
		return l.Newest
	case "Injected":
		return false
	case query.Err, query.Code, query.Func:
		return ""
	case query.Fields:
		return dynamic.Map{}
	}
	return nil
}

func (l *loader) load(ctx context.Context) error {
	if err := l.readState(ctx); err != nil {
		return err
	}
	if l.q.Needs(query.In) && l.Invocation.Key != "" {
		found, err := l.place.Invocation(ctx)
		if err != nil {
			return err
		}
		if err := l.take(ctx, query.In, found); err != nil {
			return err
		}
	}
	switch ofRun := l.q.Needs(query.Run, query.Fields, query.Code, query.Func, "Injected"); {
	case l.Result && l.q.Needs(query.Out):
		found, err := l.place.Result(ctx)
		if err != nil {
			return err
		}
		if err := l.take(ctx, query.Out, found); err != nil {
			return err
		}
		if !ofRun {
			return nil
		}
		var header record.ResultHeader
		if err := found.Into(&header); err != nil {
			return err
		}
		l.takeRun(header.RunHeader, header.Injected)
	case l.Result && ofRun:
		header, err := l.place.ResultHeader(ctx)
		if err != nil {
			return err
		}
		l.takeRun(header.RunHeader, header.Injected)
	case !l.Result && l.Error && (ofRun || l.q.Needs(query.Err)):
		found, err := l.place.Error(ctx)
		if err != nil {
			return err
		}
		var header record.ErrorHeader
		if err := found.Into(&header); err != nil {
			return err
		}
		l.takeRun(header.RunHeader, false)
		l.set(query.Err, header.Message)
		if failure, err := record.DecodeFuncError(found.Body); err == nil { // it is longer
			l.set(query.Err, failure.Message)
		}
	}
	return nil
}

// readState finds out how far the call is: only without a result does that take a look
// at its lease. The run of a call that left neither result nor error is known by that.
func (l *loader) readState(ctx context.Context) error {
	var held *view.Lease
	if !l.Result && l.Lease {
		read, wrong, err := view.ReadLease(ctx, l.place.Store, l.place.Lease(), l.sights, time.Time{})
		if err != nil && !blob.Is(err, blob.NotFound) {
			return err
		}
		if wrong == nil { // one that cannot be read says nothing
			held = read
		}
	}
	l.state = view.StateOf(l.Result, l.Error, held)
	l.set(query.State, string(l.state))
	if l.o.failed && l.state != view.HasError && !runFailed(l.state, held) {
		return errLeftOut
	}
	if l.Result || l.Error || held == nil || held.Outcome == nil {
		return nil
	}
	l.set(query.Err, view.OutcomeText(*held.Outcome))
	if l.q.Needs(query.Run, query.Fields) && held.Outcome.RunID != "" {
		if header, err := l.place.ReadRun(ctx, held.Outcome.RunID); err == nil { // or it left none
			l.takeRun(header, false)
		}
	}
	return nil
}

// runFailed reports whether the last run of a call left no error, and failed.
func runFailed(state view.State, held *view.Lease) bool {
	if state != view.Released || held == nil || held.Outcome == nil {
		return false
	}
	switch held.Outcome.Kind {
	case runs.FuncError, runs.Panic, runs.ExecError:
		return true
	}
	return false
}

// take takes the value of a record.
func (l *loader) take(ctx context.Context, name string, found memo.Found) error {
	types, err := l.types.Of(found.Header, found.RunID)
	if err != nil {
		return err
	}
	l.call.Key.In, l.call.Key.Out, l.call.Schema = types.In, types.Out, types.Schema
	v, err := dynamic.DecodePart(ctx, found.Body, l.q.Part(name))
	if err != nil && !errors.Is(err, dynamic.ErrTooLarge) {
		return &record.FormatError{Format: record.Format, Reason: "its body does not decode: " + err.Error()}
	}
	l.set(name, v)
	return nil
}

func (l *loader) set(name string, v any) {
	if l.q.Needs(name) {
		l.call.Values[name] = v
	}
}

func (l *loader) takeRun(header record.RunHeader, injected bool) {
	l.call.Key.In, l.call.Key.Out = header.In, header.Out
	if l.call.Schema == nil {
		l.call.Schema = header.Schema
	}
	l.set(query.Code, header.Code)
	l.set(query.Func, header.Func)
	l.set("Injected", injected)
	if l.q.Needs(query.Run) {
		l.set(query.Run, query.RunValue(header.RunID, header.Run))
	}
	if header.Run.Fields != nil {
		l.set(query.Fields, query.FieldsValue(header.Run.Fields))
	}
}

// trouble is why a call was left out.
type trouble int

const (
	damaged trouble = iota
	removed
	foreign
	denied
	notEvaluated
	troubles // how many there are
)

// whyUnreadable tells a record that is damaged from one that is not ours.
func whyUnreadable(err error) (why trouble, ok bool) {
	if errors.Is(err, record.ErrDamaged) || errors.Is(err, lease.ErrDamaged) {
		return damaged, true
	}
	_, format := errors.AsType[*record.FormatError](err)
	_, other := errors.AsType[*record.ForeignError](err)
	return foreign, format || other
}
