package orchestrate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/memo"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Results of other code. The version of a function stands for what it computes,
// and people forget to change it. So records name the code that made them, and
// each hit compares that with the code of this program. What then becomes of
// the hit is a setting; by default it is used, and a warning says so, once for
// each function.

// ErrOtherCode says that other code computed the result of a call.
var ErrOtherCode = errtree.Sentinel("other-code", passing("other code computed the result"))

// otherCode judges a sound result by the code that made it. It returns a miss
// if the call is to be computed again, and an error if it is to fail.
func (e *Engine) otherCode(ctx context.Context, c *Call, found memo.Found, place memo.Place) (*miss, error) {
	if c.CodeCheck == code.Off {
		return nil, nil
	}
	if looking := c.Function.Looking(); looking != nil && c.CodeCheck == code.Warn {
		return nil, e.others.undecided(e, c.Function, found, place, looking)
	}
	if err := codeKnown(ctx, c.Function); err != nil {
		return nil, err
	}
	by, other := c.Function.MadeByOther(found.Record, found.RunID)
	if !other {
		return nil, nil
	}
	switch c.CodeCheck {
	case code.Recompute:
		missed, err := replacing(found, "other code computed the result: "+e.others.changed(ctx, place.Store, c.Function, by))
		if err != nil {
			return nil, err
		}
		missed.stale = true
		return missed, nil
	case code.Refuse:
		return nil, fmt.Errorf("%s: %w: %s (run %s): %s, or compute it again with MOPS_CODE_CHECK=recompute",
			place.URI(), ErrOtherCode, e.others.changed(ctx, place.Store, c.Function, by), found.RunID, cure(c.Function, by))
	}
	e.others.hit(e, c.Function, otherHits{hits: 1, run: found.RunID, place: place, by: by})
	return nil, nil
}

// codeKnown waits until it is known which code a function is, if somebody looks.
func codeKnown(ctx context.Context, f *function.Function) error {
	looking := f.Looking()
	if looking == nil {
		return nil
	}
	select {
	case <-looking:
		return nil
	case <-ctx.Done():
		return causeOf(ctx)
	}
}

// othersResult judges a result that another run put first.
func (f *flight) othersResult(ctx context.Context, found memo.Found) error {
	if err := f.call.fits(found, f.place); err != nil {
		return err
	}
	missed, err := f.engine.otherCode(ctx, &f.call, found, f.place)
	if missed != nil {
		return &executor.Error{Reason: executor.LeaseLost, Message: "another program put its result first, and " + missed.why + ": make the call again"}
	}
	return err
}

// cure is what a person can do about results of other code.
func cure(f *function.Function, by record.Origin) string {
	d := f.Differs(by)
	if d == nil || d.Theirs == "" {
		return fmt.Sprintf("give one of the two another name than %s", f.Name)
	}
	name := d.Function.Name
	if d.Function.IsLocked() { // then the other code is not in the lock
		name += "=" + d.Theirs
	}
	return fmt.Sprintf(`set another Version of %s, or declare its code equal: mops-lock --same %s "why"`, d.Function.Name, name)
}

// others remembers the results of other code that were used. Its zero value is
// ready.
type others struct {
	mu       sync.Mutex
	closed   bool
	of       map[*function.Function]*otherHits
	said     sync.WaitGroup
	known    map[difference]string
	deciding sync.WaitGroup
	waiting  map[difference]*otherHits // while somebody looks which code a function is
	keptCode map[keptCode]bool
}

// otherHits are the results of other code that calls of one function used.
type otherHits struct {
	hits  int
	run   string // the first one's
	place memo.Place
	by    record.Origin
	timer *time.Timer
}

type difference struct {
	f  *function.Function
	by record.Origin
}

type keptCode struct {
	root string
	code string
}

// gatherTime is how long hits are counted before the warning of them: most
// programs that have many make them in that time, and none hears of it late.
const gatherTime = 2 * time.Second

func (o *others) hit(e *Engine, f *function.Function, hits otherHits) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.of[f]; h != nil {
		h.hits += hits.hits
		return
	}
	h := &hits
	if o.of == nil {
		o.of = map[*function.Function]*otherHits{}
	}
	o.of[f] = h
	if o.closed {
		return
	}
	o.said.Add(1)
	h.timer = time.AfterFunc(gatherTime, func() {
		defer o.said.Done()
		o.say(e, f, h)
	})
}

// undecided keeps a hit in mind until it is known which code f is.
func (o *others) undecided(e *Engine, f *function.Function, found memo.Found, place memo.Place, looking <-chan struct{}) error {
	by, err := record.OriginOf(found.Header, found.RunID)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := difference{f, by}
	if h := o.waiting[key]; h != nil {
		h.hits++
		return nil
	}
	if o.waiting == nil {
		o.waiting = map[difference]*otherHits{}
	}
	o.waiting[key] = &otherHits{hits: 1, run: found.RunID, place: place, by: by}
	o.deciding.Go(func() {
		<-looking
		o.mu.Lock()
		h := *o.waiting[key]
		delete(o.waiting, key)
		o.mu.Unlock()
		if !f.Accepts(by) {
			o.hit(e, f, h)
		}
	})
	return nil
}

// Undecided says that results were used of which nobody can tell yet whether
// other code made them.
func (e *Engine) Undecided() bool {
	e.others.mu.Lock()
	defer e.others.mu.Unlock()
	return len(e.others.waiting) > 0
}

// say warns of the results of other code that calls of a function used.
func (o *others) say(e *Engine, f *function.Function, h *otherHits) {
	ctx, cancel := context.WithTimeout(context.Background(), explainTime)
	defer cancel()
	changed := o.changed(ctx, h.place.Store, f, h.by)
	o.mu.Lock()
	hits := h.hits
	o.mu.Unlock()
	verb := "hits of %s were"
	if hits == 1 {
		verb = "hit of %s was"
	}
	e.Logger.Warn(fmt.Sprintf("%d "+verb+" computed by other code: %s", hits, f.ID(), changed),
		"run", h.run, "more", "mops why "+h.place.URI(), "then", cure(f, h.by))
}

// close says what was not said yet. Nobody may look any more which code a
// function is.
func (o *others) close(e *Engine) {
	o.deciding.Wait()
	o.mu.Lock()
	o.closed = true
	pending := map[*function.Function]*otherHits{}
	for f, h := range o.of {
		if h.timer.Stop() {
			pending[f] = h
		}
	}
	o.mu.Unlock()
	for f, h := range pending {
		o.say(e, f, h)
		o.said.Done()
	}
	o.said.Wait()
}

// changed says in words what differs between the code of a record and that of
// f. It reads the store once for each difference.
func (o *others) changed(ctx context.Context, store *blob.Store, f *function.Function, by record.Origin) string {
	key := difference{f, by}
	o.mu.Lock()
	text, known := o.known[key]
	o.mu.Unlock()
	if known {
		return text
	}
	if d := f.Differs(by); d == nil || d.Theirs == "" {
		text = fmt.Sprintf("that of %s, and here %s has the name", by.Func, f.Origin().Func)
	} else {
		text = memo.Changed(ctx, store, d.Theirs, d.Mine, d.Code)
		if d.Function != f {
			text = d.Function.ID() + ": " + text
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known == nil {
		o.known = map[difference]string{}
	}
	o.known[key] = text
	return text
}

// keepCode describes the code of a function in the store that is about to have
// results of it.
func (e *Engine) keepCode(f *flight) {
	is, _ := f.call.Function.Code()
	if is == nil {
		return
	}
	key := keptCode{f.root.store.Root(), is.Hash}
	e.others.mu.Lock()
	kept := e.others.keptCode[key]
	if !kept && e.others.keptCode == nil {
		e.others.keptCode = map[keptCode]bool{}
	}
	e.others.keptCode[key] = true
	e.others.mu.Unlock()
	if kept {
		return
	}
	ctx := f.ctx
	e.owned.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		if err := memo.PutCode(ctx, f.root.store, is); err != nil && !errors.Is(err, context.Canceled) {
			e.Logger.Debug("the code of a function could not be described in the store: what changed can be named only where its source is",
				"function", f.call.Function.ID(), "error", err)
		}
	})
}
