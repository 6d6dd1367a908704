package pack

import (
	"context"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/records/packs"
)

// list is a pack, and what is known of its calls.
type list struct {
	group   *group
	pack    packs.Pack
	pages   []int               // the last page that was read of each worker's ledger
	numbers map[executor.ID]int // of a pack that another process put together: which call is which

	// Under packer.mu:
	members []*Member             // by number; nil where nobody here waits for the call
	began   map[*Member]time.Time // those that run
	live    int                   // how many of those have not ended, of a pack of our own
	unbegun int                   // how many of those have not begun either
	said    []packs.Entry         // what ledgers said of calls that nobody waits for yet; nil for a pack of our own
}

// add gives the group a pack that was put together. The caller holds packer.mu.
func (g *group) add(f *forming) *list {
	l := &list{group: g, pack: f.pack, pages: make([]int, g.workers), members: f.members, began: map[*Member]time.Time{},
		live: len(f.members), unbegun: len(f.members)}
	for number, m := range f.members {
		m.list, m.number = l, number
	}
	g.lists, g.given = append(g.lists, l), g.given+len(f.members)
	return l
}

func (l *list) here() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		for _, m := range l.members {
			if m != nil && !yield(m) {
				return
			}
		}
	}
}

// put writes the list.
func (l *list) put(ctx context.Context, shape packs.Shape) error {
	calls := make([]packs.Call, len(l.members))
	for i, m := range l.members {
		calls[i] = m.call
	}
	if err := l.pack.PutList(ctx, calls, shape); err != nil {
		return fmt.Errorf("the list of %d calls of %s could not be written: %w", len(calls), l.group.packer.Function, err)
	}
	return nil
}

// read reads on in the ledgers.
func (l *list) read(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for worker := range l.pages {
		group.Go(func() error {
			for {
				entries, found, err := l.pack.Page(ctx, worker, l.pages[worker]+1)
				if err != nil || !found {
					return err
				}
				l.pages[worker]++
				l.group.sign.Store(time.Now().UnixNano())
				l.apply(entries)
			}
		})
	}
	return group.Wait()
}

// apply takes in what a ledger says.
func (l *list) apply(entries []packs.Entry) {
	now := time.Now()
	p := l.group.packer
	for _, e := range entries {
		p.mu.Lock()
		var m *Member
		begins := false
		if e.Call >= 0 && e.Call < len(l.members) {
			if m = l.members[e.Call]; m != nil {
				begins = l.applyTo(m, e, now)
			} else if l.said != nil {
				l.said[e.Call] = packs.Entry{Call: e.Call, Began: e.Began || l.said[e.Call].Began, Ended: e.Ended}
			}
		}
		p.mu.Unlock()
		if begins {
			m.tell(executor.Running)
		} else if e.Ended != nil && e.Ended.Code == executor.ExitOK {
			p.learn(seconds(e.Ended.WallSeconds))
		}
	}
	p.look()
}

// applyTo takes in what a ledger says of a member, and reports whether it begins.
// The caller holds packer.mu.
func (l *list) applyTo(m *Member, e packs.Entry, now time.Time) (begins bool) {
	if begins = e.Began && !m.begun; begins {
		m.begin()
		l.began[m] = now
	}
	switch {
	case e.Ended == nil:
	case e.Ended.Code == executor.ExitLost:
		// Another worker of the group was faster, and says what became of the call. If
		// nobody does, it is lost when the group ends.
		m.code = executor.ExitLost
	default:
		delete(l.began, m)
		m.printed = e.Ended.Printed
		exit := exitOf(e.Ended)
		if exit.Err != nil && m.stopping {
			exit.Err.Err = context.Canceled
		}
		m.end(Ran, exit)
	}
	return begins
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
