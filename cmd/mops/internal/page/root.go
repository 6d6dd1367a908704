package page

import (
	"context"
	"errors"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// rootPage is the page of a root: its runs and its functions.
type rootPage struct {
	frame
	Listing   bool // the runs are not known yet
	Runs      []runRow
	Older     string // id after which a further page begins; "" at the end
	AllRuns   int
	Functions []indexed
	Counted   bool  // the functions are known
	Listed    int64 // calls that were counted so far, before
	Since     time.Time
	Problem   string
}

// runRow is a run in a list.
type runRow struct {
	programs.Head
	Words    string
	Name     string
	State    runState
	Exit     int
	Seconds  float64
	Total    programs.Function
	Outcomes []outcome
	Saved    programs.Use
	Reading  bool // what is missing here
	Problem  string
}

const runsOfPage = 50

// runCache keeps runs that were read. It is safe for concurrent use.
type runCache struct {
	store  *blob.Store
	behind *backstage
	all    background[[]programs.Entry]

	mu    sync.Mutex
	whole map[string]*cachedRun           // of pages that are looked at
	rows  map[string]*background[*runRow] // of lists; nil where the run is gone
}

func newRunCache(store *blob.Store, behind *backstage) *runCache {
	c := &runCache{store: store, behind: behind, whole: map[string]*cachedRun{}, rows: map[string]*background[*runRow]{}}
	c.all.look = func(ctx context.Context) ([]programs.Entry, error) {
		entries, err := programs.List(ctx, store)
		return slices.DeleteFunc(entries, func(e programs.Entry) bool { return !e.Begun }), err
	}
	return c
}

// cachedRun is a run with all its calls.
type cachedRun struct {
	mu   sync.Mutex
	run  *programs.Run
	read time.Time
	used time.Time
}

const (
	mostWhole = 6               // runs that are kept with all their calls
	freshFor  = 1 * time.Second // how long a run is shown as it was read last
)

// get hands the run over as it is now, while no one else has it.
func (c *runCache) get(ctx context.Context, id string, use func(*programs.Run) error) error {
	c.mu.Lock()
	entry := c.whole[id]
	if entry == nil {
		entry = &cachedRun{}
		c.whole[id] = entry
		c.forget()
	}
	entry.used = time.Now()
	c.mu.Unlock()

	entry.mu.Lock()
	defer entry.mu.Unlock()
	var err error
	if entry.run == nil {
		entry.run, err = programs.Read(ctx, c.store, id)
		entry.read = time.Now()
	} else if time.Since(entry.read) > freshFor {
		entry.read = time.Now()
		if _, err = programs.ReadHead(ctx, c.store, id); err == nil && entry.run.Ended == nil { // else it may have been removed
			_, err = entry.run.Update(ctx)
		}
	}
	if err != nil {
		if entry.run == nil || errors.Is(err, programs.ErrNone) {
			c.drop(id)
		}
		return err
	}
	return use(entry.run)
}

// forget drops the one that was used longest ago, if there are too many.
func (c *runCache) forget() {
	for len(c.whole) > mostWhole {
		oldest := ""
		for id, entry := range c.whole {
			if oldest == "" || entry.used.Before(c.whole[oldest].used) {
				oldest = id
			}
		}
		delete(c.whole, oldest)
	}
}

func (c *runCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.whole, id)
}

// row is a run for a list; nil where it is gone. One that is over is read once.
func (c *runCache) row(ctx context.Context, entry programs.Entry, now time.Time, wait time.Duration) *runRow {
	c.mu.Lock()
	row := c.rows[entry.ID]
	if row == nil {
		row = &background[*runRow]{}
		c.rows[entry.ID] = row
	}
	c.mu.Unlock()
	row.mu.Lock()
	good := freshFor
	switch r := row.found.value; {
	case r == nil || r.State == going:
	case r.State == broken: // perhaps its store was away
		good = staleAfter
	default:
		good = math.MaxInt64
	}
	row.look = func(ctx context.Context) (*runRow, error) { return c.read(ctx, entry, now) }
	row.mu.Unlock()
	f := row.get(ctx, c.behind, good, wait, wait)
	switch {
	case !f.at.IsZero():
		return f.value
	case f.err != nil:
		return &runRow{Head: programs.Head{ID: entry.ID}, Words: wordsOf(entry.ID), Problem: f.err.Error()}
	}
	return &runRow{Head: programs.Head{ID: entry.ID}, Words: wordsOf(entry.ID), Reading: true}
}

// wordsOf is what tells a run from others of the same minute.
func wordsOf(id string) string { return strings.TrimLeft(id, "0123456789-") }

// read reads a row.
func (c *runCache) read(ctx context.Context, entry programs.Entry, now time.Time) (*runRow, error) {
	head, err := programs.ReadHead(ctx, c.store, entry.ID)
	if errors.Is(err, programs.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state, end, err := programs.ReadState(ctx, c.store, entry)
	if err != nil {
		return nil, err
	}
	live := entry.Live(now)
	row := &runRow{Head: head, Words: wordsOf(entry.ID), Name: path.Base(text.Clean(head.Name())), State: stateOf(end, live), Seconds: state.At}
	switch {
	case end != nil:
		row.Exit = end.Exit
		row.Seconds = max(end.End.Sub(head.Start).Seconds(), 0)
	case live:
		row.Seconds = max(now.Sub(head.Start).Seconds(), state.At)
	}
	row.Total = state.Total()
	row.Outcomes, row.Saved = outcomesOf(row.Total.Totals), sum(row.Total.Saved)
	return row, nil
}

// newRootPage lists the runs after the one with the id before, and the functions.
func (s *server) newRootPage(ctx context.Context, before string) (*rootPage, error) {
	now := s.now()
	p := &rootPage{frame: frame{Title: s.store.Root(), Kind: "root", Root: s.store.Root(), Now: now, Served: true}}
	deadline := time.Now().Add(firstLook)
	runs := s.runs.all.get(ctx, s.behind, 0, firstLook, firstLook)
	if runs.err != nil {
		return nil, runs.err
	}
	p.Listing = runs.at.IsZero()
	entries := runs.value
	p.AllRuns = len(entries)
	if before != "" {
		for len(entries) > 0 && entries[0].ID >= before {
			entries = entries[1:]
		}
	}
	if len(entries) > runsOfPage {
		entries = entries[:runsOfPage]
		p.Older = entries[runsOfPage-1].ID
	}
	rows := make([]*runRow, len(entries))
	var group sync.WaitGroup
	for i, e := range entries {
		group.Go(func() { rows[i] = s.runs.row(ctx, e, now, time.Until(deadline)) })
	}
	known := s.index.now(ctx, s.behind)
	group.Wait()
	p.Live = p.Listing
	for _, row := range rows {
		if row != nil {
			p.Runs = append(p.Runs, *row)
			p.Live = p.Live || row.State == going || row.Reading
		}
	}
	slices.SortStableFunc(p.Runs, func(a, b runRow) int { return b.Start.Compare(a.Start) })

	p.Functions, p.Counted, p.Listed, p.Since = known.value, !known.at.IsZero(), known.listed, known.at
	p.Live = p.Live || !p.Counted
	if known.err != nil {
		p.Problem = known.err.Error()
	}
	return p, nil
}

// firstLook is how long a page waits for what the store has before it is shown without.
const firstLook = 500 * time.Millisecond
