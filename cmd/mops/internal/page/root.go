package page

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// rootPage is the page of a root: its runs and its functions.
type rootPage struct {
	frame
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
	Problem  string
}

const runsOfPage = 50

// runCache keeps runs that were read. It is safe for concurrent use.
type runCache struct {
	store *blob.Store
	mu    sync.Mutex
	whole map[string]*cachedRun // of pages that are looked at
	rows  map[string]runRow     // of runs that are over
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

// row is a run for a list.
func (c *runCache) row(ctx context.Context, entry programs.Entry, now time.Time) (row runRow, there bool) {
	c.mu.Lock()
	row, known := c.rows[entry.ID]
	c.mu.Unlock()
	if known {
		return row, true
	}
	head, err := programs.ReadHead(ctx, c.store, entry.ID)
	if errors.Is(err, programs.ErrNone) {
		return runRow{}, false
	}
	row = runRow{Head: head, Words: strings.TrimLeft(entry.ID, "0123456789-"), Name: path.Base(text.Clean(head.Program))}
	row.Head.ID = entry.ID
	var state programs.State
	var end *programs.End
	live := entry.Live(now)
	if err == nil && entry.Ended {
		if end, err = programs.ReadEnd(ctx, c.store, entry.ID); end != nil {
			state = end.State
		}
	}
	if err == nil && end == nil {
		err = c.get(ctx, entry.ID, func(run *programs.Run) error {
			state, end = run.State, run.Ended
			return nil
		})
	}
	if err != nil {
		row.Problem = err.Error()
		return row, true
	}
	row.State = stateOf(end, live)
	row.Seconds = state.At
	switch {
	case end != nil:
		row.Exit = end.Exit
		row.Seconds = max(end.End.Sub(head.Start).Seconds(), 0)
	case live:
		row.Seconds = max(now.Sub(head.Start).Seconds(), state.At)
	}
	row.Total = state.Total()
	row.Outcomes, row.Saved = outcomesOf(row.Total.Totals), sum(row.Total.Saved)
	if !live {
		c.mu.Lock()
		c.rows[entry.ID] = row
		c.mu.Unlock()
	}
	return row, true
}

// newRootPage lists the runs after the one with the id before, and the functions.
func (s *server) newRootPage(ctx context.Context, before string) (*rootPage, error) {
	now := s.now()
	p := &rootPage{frame: frame{Title: s.store.Root(), Kind: "root", Root: s.store.Root(), Now: now, Served: true}}
	entries, err := programs.List(ctx, s.store)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e programs.Entry) bool { return !e.Begun })
	p.AllRuns = len(entries)
	if before != "" {
		entries = slices.DeleteFunc(entries, func(e programs.Entry) bool { return e.ID >= before })
	}
	if len(entries) > runsOfPage {
		entries = entries[:runsOfPage]
		p.Older = entries[runsOfPage-1].ID
	}
	rows := make([]runRow, len(entries))
	there := make([]bool, len(entries))
	var group errgroup.Group
	group.SetLimit(16)
	for i, e := range entries {
		group.Go(func() error { rows[i], there[i] = s.runs.row(ctx, e, now); return nil })
	}
	group.Wait()
	for i, row := range rows {
		if there[i] {
			p.Runs = append(p.Runs, row)
			p.Live = p.Live || row.State == going
		}
	}
	slices.SortStableFunc(p.Runs, func(a, b runRow) int { return b.Start.Compare(a.Start) })

	s.index.start(s.ctx)
	known := s.index.within(ctx, firstLook)
	p.Functions, p.Counted, p.Listed, p.Since = known.functions, !known.at.IsZero(), known.listed, known.at
	p.Live = p.Live || !p.Counted
	if known.err != nil {
		p.Problem = known.err.Error()
	}
	return p, nil
}

// firstLook is how long the first page waits for the functions before it is shown
// without them.
const firstLook = 500 * time.Millisecond
