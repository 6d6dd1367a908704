package blob

import (
	"cmp"
	"context"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/errtree"
)

// Patience is how long a store may be away before [Retry] gives up what cannot be
// had again cheaply: as long as it took to get there, and 12 hours at most.
type Patience struct {
	Since time.Time // when that began
	What  string    // that the store is needed for, in the log

	// Made says that it is needed for what was made since then, and is lost
	// otherwise. The patience lasts for a minute at least.
	Made bool

	// Allowed says that the store took the like when the making began. So if it
	// denies access now, credentials have expired, and the patience lasts for 15
	// minutes at most, in which somebody may log in again.
	Allowed bool

	tell teller // of the store, for its driver, which tries parts of a put again
}

const (
	leastPatience  = time.Minute
	mostPatience   = 12 * time.Hour
	deniedPatience = 15 * time.Minute
)

// Patient returns a context under which [Retry] tries as often as ever, and on
// for as long as the patience lasts. A warning says so at once and every minute.
// The end of the context ends it at once.
func Patient(ctx context.Context, p Patience) context.Context {
	return context.WithValue(ctx, patienceKey{}, p)
}

type patienceKey struct{}

// WhileWaiting returns a context under which [Retry] calls leave before it waits to
// try again, and what leave returned after the wait, before it tries. So who bounds
// how many transfers go on at one time can let others go on meanwhile: under a
// patience of hours, one store that is away would else keep all others waiting. An
// operation may have several parts that wait side by side. An error of back ends it.
func WhileWaiting(ctx context.Context, leave func() (back func(context.Context) error)) context.Context {
	return context.WithValue(ctx, waitingKey{}, leave)
}

type waitingKey struct{}

// wait waits to try again.
func wait(ctx context.Context, d time.Duration) error {
	if leave, ok := ctx.Value(waitingKey{}).(func() func(context.Context) error); ok {
		back := leave()
		return cmp.Or(sleep(ctx, d), back(ctx))
	}
	return sleep(ctx, d)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exhausted says that all patience was used up, so that what the operation is a
// part of does not begin anew.
type exhausted struct{ error }

func (e *exhausted) Unwrap() error { return e.error }

func isExhausted(err error) bool {
	_, ok := errtree.AsType[*exhausted](err)
	return ok
}

// telling is the context for a driver, whose own tries are told of as those of Retry.
func (p RetryPolicy) telling(ctx context.Context) context.Context {
	patience := patienceOf(ctx)
	if patience.Since.IsZero() || p.tell == nil {
		return ctx
	}
	patience.tell = p.tell
	return Patient(ctx, patience)
}

func patienceOf(ctx context.Context) Patience {
	p, _ := ctx.Value(patienceKey{}).(Patience)
	return p
}

// lasts is how long the patience lasts with an error of a store that has failed
// since some time: not at all for one that will not pass.
func (p Patience) lasts(failing time.Time, err error) time.Duration {
	if p.Since.IsZero() {
		return 0
	}
	took := failing.Sub(p.Since)
	switch {
	case transient(err) && p.Made:
		return min(max(took, leastPatience), mostPatience)
	case transient(err):
		return min(took, mostPatience)
	case KindOf(err) == Denied && p.Allowed:
		return min(took, deniedPatience)
	}
	return 0
}
