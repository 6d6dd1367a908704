package look

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/cli"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/query"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/explain"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

const (
	// readAtOnce is how many calls are read side by side where a read is a request,
	// and readHere where it is not.
	readAtOnce = 48
	readHere   = 8
	// batchHere is how many calls are a batch where a read is none, and batchBytes how
	// much of one.
	batchHere  = 32
	batchBytes = 1 << 20
	// readBytes is how much of large records is held at once; one that is larger is read alone.
	readBytes = 128 << 20
	// judgedTogether is how many calls are read before the first of them is judged:
	// what fields a type has shows in its values.
	judgedTogether = 1000
	judgedBytes    = 16 << 20
)

// finder finds the calls that meet a condition.
type finder struct {
	a     *cli.App
	of    roots.Address
	o     *lsOptions
	q     *query.Query
	print *foundPrinter
	since time.Time // calls of which nothing was written since then are left out

	listed, read atomic.Int64
	waiting      []*candidate // to be judged together
	bytes        int64
	undecided    []*candidate
}

// candidate is a call on its way.
type candidate struct {
	explain.Listed
	of    memokey.Call
	state view.State
	known *query.Call // nil: its records cannot be read
}

// batch is calls that are read one after the other: handing each on by itself takes
// as long as reading it from a file.
type batch struct {
	calls []*candidate
	room  int64
	done  chan struct{} // closed when they were read
}

func (b *batch) add(c *candidate) {
	b.calls = append(b.calls, c)
	b.room = min(b.room+c.room(), readBytes)
}

// find is mops ls with conditions.
func (o *lsOptions) find(ctx context.Context, a *cli.App, x roots.Address) error {
	q, err := query.Parse(o.where, o.show)
	if err != nil {
		return cli.Usage(err)
	}
	f := &finder{a: a, of: x, o: o, q: q, print: newFoundPrinter(a, x, o, q.Titles())}
	if o.since != 0 {
		f.since = a.Now().Add(-time.Duration(o.since))
	}
	status := a.Status(f.status)
	f.print.aside = status.Aside
	err = f.run(ctx)
	status.Stop()
	if err != nil {
		return err
	}
	if f.listed.Load() == 0 {
		return f.nothing(ctx)
	}
	misfits, err := q.Misfits()
	if err != nil {
		return cli.Usage(err)
	}
	return f.print.end(f.listed.Load(), misfits)
}

func (f *finder) run(ctx context.Context) error {
	if err := f.each(ctx, f.chosen(ctx), f.together); err != nil {
		return err
	}
	if err := f.judge(); err != nil {
		return err
	}
	again := slices.DeleteFunc(f.undecided, func(c *candidate) bool { return !f.q.Revised(c.known.Key) })
	f.undecided = nil
	list := func(yield func(explain.Listed, error) bool) {
		for _, c := range again {
			if !yield(c.Listed, nil) {
				return
			}
		}
	}
	if err := f.each(ctx, list, f.together); err != nil {
		return err
	}
	return f.judge()
}

func (f *finder) status() string {
	return fmt.Sprintf("%s read, %s found", text.Count(f.read.Load(), "call"), text.Number(f.print.found.Load()))
}

// chosen lists the calls that may meet what needs no reading.
func (f *finder) chosen(ctx context.Context) iter.Seq2[explain.Listed, error] {
	prefixes := []string{memokey.Format + "/"}
	if f.of.Path != "" {
		prefixes = []string{f.of.Path + "/", f.of.Path + "@"} // a function's versions stand beside its name
	}
	if f.of.Kind == roots.KindFunction {
		prefixes = prefixes[:1]
	}
	return func(yield func(explain.Listed, error) bool) {
		for _, prefix := range prefixes {
			for call, err := range explain.List(ctx, f.of.Store, prefix) {
				if err == nil && !call.Folder {
					continue
				}
				if err == nil {
					f.listed.Add(1)
				}
				failed := !call.Result && (call.Error || call.Lease)
				if err == nil && (call.Newest.Before(f.since) || f.o.failed && !failed) {
					continue
				}
				if !yield(call, err) {
					return
				}
			}
		}
	}
}

// each reads calls side by side, and hands them on in their order.
func (f *finder) each(ctx context.Context, calls iter.Seq2[explain.Listed, error], do func(*candidate) error) error {
	width, most := readAtOnce, 1
	if f.of.Store.IsLocal() {
		width, most = readHere, batchHere
	}
	group, ctx := errgroup.WithContext(ctx)
	room := semaphore.NewWeighted(readBytes)
	inOrder, toRead := make(chan *batch, 4*width), make(chan *batch)
	hand := func(b *batch) error {
		if err := room.Acquire(ctx, b.room); err != nil {
			return err
		}
		for _, to := range []chan<- *batch{inOrder, toRead} {
			select {
			case to <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	group.Go(func() error {
		defer close(inOrder)
		defer close(toRead)
		next := &batch{done: make(chan struct{})}
		for call, err := range calls {
			if err != nil {
				return err
			}
			if next.add(&candidate{Listed: call}); len(next.calls) < most && next.room < batchBytes {
				continue
			}
			if err := hand(next); err != nil {
				return err
			}
			next = &batch{done: make(chan struct{})}
		}
		return hand(next)
	})
	for range width {
		group.Go(func() error {
			m := &memory{sights: view.Sights{}}
			for b := range toRead {
				for _, c := range b.calls {
					if err := f.load(ctx, c, m); err != nil {
						return err
					}
				}
				room.Release(b.room)
				close(b.done)
			}
			return nil
		})
	}
	group.Go(func() error {
		for b := range inOrder {
			select {
			case <-b.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			for _, c := range b.calls {
				f.read.Add(1)
				if err := do(c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return group.Wait()
}

// room is how much of the room for large records a call may take.
func (c *candidate) room() int64 {
	return max(1, min(c.Invocation.Size+c.ResultBytes, readBytes))
}

// together judges a call with others. Those that are waiting hold less than what was
// read of them, as a rule.
func (f *finder) together(c *candidate) error {
	if c.known == nil {
		return nil
	}
	f.waiting = append(f.waiting, c)
	if f.bytes += c.room(); len(f.waiting) < judgedTogether && f.bytes < judgedBytes {
		return nil
	}
	return f.judge()
}

func (f *finder) judge() error {
	for _, c := range f.waiting {
		cells, verdict, err := f.q.Judge(c.known)
		switch {
		case err != nil:
			f.print.trouble(notEvaluated, f.of.Store.URI(c.Path), err)
		case verdict == query.Undecided:
			c.known = &query.Call{Key: c.known.Key} // no more is needed to read it again
			f.undecided = append(f.undecided, c)
		case verdict == query.Yes:
			if err := f.print.add(c, cells); err != nil {
				return err
			}
		}
	}
	f.waiting, f.bytes = f.waiting[:0], 0
	return nil
}

// nothing says that there is nothing to choose from.
func (f *finder) nothing(ctx context.Context) error {
	if f.of.Kind == roots.KindRoot {
		return cli.NotFoundf("%s holds no calls: is it the root that the program uses? MOPS_ROOT and mops.toml say which one is the default", f.of.URI())
	}
	return roots.NotFound(ctx, f.of.Store, f.of.Path, nil)
}

// expressions is a flag that takes several, with commas between, and may be given
// more than once.
type expressions []string

// Set takes a text apart at the commas that stand in no brackets and no quotes.
func (e *expressions) Set(list string) error {
	depth, quote, from := 0, rune(0), 0
	escaped := false
	add := func(text string) error {
		if text = strings.TrimSpace(text); text == "" {
			return errors.New("an expression is empty; write, for instance, --show In.City,Out")
		}
		*e = append(*e, text)
		return nil
	}
	for i, r := range list {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != 0 && quote != '`':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case strings.ContainsRune("\"'`", r):
			quote = r
		case strings.ContainsRune("([{", r):
			depth++
		case strings.ContainsRune(")]}", r):
			depth--
		case r == ',' && depth == 0:
			if err := add(list[from:i]); err != nil {
				return err
			}
			from = i + 1
		}
	}
	return add(list[from:])
}

// name is how a call is called in a list: below the function that the list is of, or
// below the root.
func (f *foundPrinter) name(c *candidate) string {
	if f.of.Kind == roots.KindFunction {
		return path.Base(c.Path)
	}
	return c.Path
}

// unreadable says why a record cannot be read, if it is the record that is to blame.
func unreadable(err error) (why trouble, ok bool) {
	switch {
	case blob.Is(err, blob.NotFound):
		return removed, true
	case blob.Is(err, blob.Denied):
		return denied, true
	}
	return whyUnreadable(err)
}
