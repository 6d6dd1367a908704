// Package lineage finds out what calls were made from: which calls their functions
// made, and from whose results the sources in their inputs were read. It goes by the
// headers of records alone, and by what they can say: records of the first release
// do not say it, others may be damaged or gone. What is not known is a fact of its
// own here, and no failure. Package record says what is written, package worker
// writes it.
package lineage

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Call is what its records say of one call.
type Call struct {
	Name       string       // as other records of the root name it; see record.Run
	Home       memokey.Call // what the name says; zero if it is no address of a call
	RunID      string
	ProgramRun string
	Outcome    runs.Ending
	Started    time.Time
	Caller     string
	Made       []string
	MoreMade   int
	Sources    []record.SourceLocation // of its input

	// Unknown says why its records do not say all of what it was made from; "" if
	// they do.
	Unknown string
}

// silent is why nothing is known from a record that has no id of a program's run.
const silent = "its records are of a release that did not write this down"

// gone is why nothing is known of a call that others name.
const gone = "there are no records of it"

// noRecord is why a record was not read that is not there.
const noRecord = "there is none"

// header is what lineage needs of the headers of results, errors and invocations.
type header struct {
	RunID string `json:"run_id"`
	Run   struct {
		Outcome    runs.Ending `json:"outcome"`
		Started    time.Time   `json:"started"`
		Caller     string      `json:"caller"`
		ProgramRun string      `json:"program_run"`
		Made       []string    `json:"made"`
		MoreMade   int         `json:"more_made"`
	} `json:"run"`
	Caller     string                  `json:"caller"`
	ProgramRun string                  `json:"program_run"`
	Sources    []record.SourceLocation `json:"sources"`
}

// nameIn is the one name that a call has in a graph of a root, whatever name a record
// used.
func nameIn(store *blob.Store, name string) string {
	if path, below := strings.CutPrefix(name, store.Root()+"/"); below {
		return path
	}
	return name
}

// named is a call of which nothing but its name is known, and why.
func named(name, why string) *Call {
	c := &Call{Name: name, Unknown: why}
	if strings.Contains(name, "?") && strings.Contains(name, "://") {
		c.Unknown = elsewhere + ", which opens with parameters: ask for it by its own address"
		return c
	}
	home, err := memokey.Parse(name)
	if err != nil || home.URI() != name {
		c.Unknown = "that is no address of a call"
		return c
	}
	if c.Home = home; home.Root != "" {
		c.Unknown = elsewhere
	}
	return c
}

// elsewhere is why nothing is known of a call if nobody looks into its root.
const elsewhere = "it is in another root"

// there is which records of a call there are, as far as that is known.
type there struct{ result, failure, invocation bool }

// read reads what the records of a call say. The error is the store's, where that
// cannot be read at all, or the context's.
func (g *Graph) read(ctx context.Context, name string, t there) (*Call, error) {
	c := named(name, "")
	store := g.store
	if c.Unknown == elsewhere {
		store, c.Unknown = g.other(ctx, c.Home.Root)
	}
	if c.Unknown != "" {
		return c, nil
	}
	err := c.readFrom(ctx, store, t)
	if err != nil && store != g.store && ctx.Err() == nil {
		c = named(name, "")
		c.Unknown, err = elsewhere+", which cannot be read: "+text.FirstLine(err.Error()), nil
	}
	g.rename(c, store)
	return c, err
}

// rename gives the calls that a call names the names that they have in the graph.
func (g *Graph) rename(c *Call, store *blob.Store) {
	of := func(name string) string {
		if name != "" && store != g.store && !strings.Contains(name, "://") {
			name = store.URI(name)
		}
		return nameIn(g.store, name)
	}
	c.Caller = of(c.Caller)
	for i := range c.Made {
		c.Made[i] = of(c.Made[i])
	}
	for i := range c.Sources {
		c.Sources[i].From = of(c.Sources[i].From)
	}
}

// readFrom reads the call's records in a store.
func (c *Call) readFrom(ctx context.Context, store *blob.Store, t there) error {
	p := memo.Place{Store: store, Path: c.Home.Path(), Key: c.Home.Key}
	var ran, asked header
	said, err := readFirst(ctx, p, &ran, t.kinds()...)
	if err != nil {
		return err
	}
	unasked := noRecord
	if t.invocation {
		if unasked, err = readFirst(ctx, p, &asked, record.KindInvocation); err != nil {
			return err
		}
	}
	c.RunID, c.ProgramRun, c.Caller = ran.RunID, ran.Run.ProgramRun, ran.Run.Caller
	if said != "" {
		c.RunID, c.ProgramRun, c.Caller = asked.RunID, asked.ProgramRun, asked.Caller
	}
	c.Outcome, c.Started, c.Made, c.MoreMade, c.Sources = ran.Run.Outcome, ran.Run.Started, ran.Run.Made, ran.Run.MoreMade, asked.Sources
	switch {
	case said == noRecord && unasked == noRecord:
		c.Unknown = gone
	case said == noRecord:
		c.Unknown = "it has no result and no error"
	case said != "":
		c.Unknown = said
	case ran.Run.ProgramRun == "":
		c.Unknown = silent
	case unasked != "" && c.Outcome != runs.Injected: // a person puts a result, and no input
		c.Unknown = "from what its input was read: " + cmp.Or(strings.TrimPrefix(unasked, noRecord), "there is no invocation")
	}
	return nil
}

func (t there) kinds() (kinds []record.Kind) {
	if t.result {
		kinds = append(kinds, record.KindResult)
	}
	if t.failure {
		kinds = append(kinds, record.KindError)
	}
	return kinds
}

// readFirst reads the header of the first record of some kinds that can be read, or
// says why there is none.
func readFirst(ctx context.Context, p memo.Place, into *header, kinds ...record.Kind) (why string, err error) {
	why = noRecord
	for i, kind := range kinds {
		said, err := p.Header(ctx, kind)
		if err == nil {
			err = record.Record{Header: said}.Into(into)
		}
		switch {
		case err == nil:
			return "", nil
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case blob.Is(err, blob.Unavailable), blob.Is(err, blob.Throttled):
			return "", err
		case i == 0 && !blob.Is(err, blob.NotFound):
			why = "its " + string(kind) + " " + wrong(err)
		}
		*into = header{}
	}
	return why, nil
}

// wrong says what is wrong with a record.
func wrong(err error) string {
	_, format := errors.AsType[*record.FormatError](err)
	_, foreign := errors.AsType[*record.ForeignError](err)
	switch {
	case errors.Is(err, record.ErrDamaged):
		return "is damaged"
	case format:
		return "is not ours to read: perhaps a newer mops wrote it"
	case foreign:
		return "is another call's: somebody copied or renamed it"
	}
	return "cannot be read"
}
