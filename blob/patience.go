package blob

import (
	"cmp"
	"context"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Patience is how long [Retry] goes on while a store is away, for work that is
// dear to repeat: as long as the work had taken, and 12 hours at most.
type Patience struct {
	Since time.Time // when the work began
	What  string    // the work, as the log names it

	// Made says that the store is needed to keep the result of that work, which
	// would be lost otherwise. The patience lasts for a minute at least.
	Made bool

	// Allowed says that the store took the like when the work began. So if it
	// denies access now, credentials have expired, and the patience lasts for 15
	// minutes at most, in which somebody may log in again.
	Allowed bool

	tell teller // the store's; its driver, which retries parts of a put, warns through it
}

const (
	leastPatience  = time.Minute
	mostPatience   = 12 * time.Hour
	deniedPatience = 15 * time.Minute
)

// Patient returns a context under which [Retry] tries as often as without it,
// and then goes on until the patience ends. It logs a warning at once and every
// minute. The end of the context ends it at once.
func Patient(ctx context.Context, p Patience) context.Context {
	return context.WithValue(ctx, patienceKey{}, p)
}

type patienceKey struct{}

// WhileWaiting returns a context under which [Retry] calls leave before it
// waits for another try, and calls leave's result, back, after the wait, before
// it tries. So a caller that bounds how many transfers run at one time can let
// others go on meanwhile: under a patience of hours, one store that is away
// would else keep all others waiting. An operation may have several parts that
// wait side by side, so both must be safe for concurrent use. An error of back
// ends the operation.
func WhileWaiting(ctx context.Context, leave func() (back func(context.Context) error)) context.Context {
	return context.WithValue(ctx, waitingKey{}, leave)
}

type waitingKey struct{}

// wait waits to try again.
func wait(ctx context.Context, d time.Duration) (err error) {
	if leave, ok := ctx.Value(waitingKey{}).(func() func(context.Context) error); ok {
		back := leave()
		defer func() { err = cmp.Or(err, back(ctx)) }()
	}
	if !sleep.For(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// exhausted marks an error after which all patience is used up, so that no
// caller higher up begins a patience anew.
type exhausted struct{ error }

func (e *exhausted) Unwrap() error { return e.error }

func isExhausted(err error) bool {
	_, ok := errtree.AsType[*exhausted](err)
	return ok
}

// telling is the context for a driver whose own retries are logged like those
// of Retry.
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

// lasts is how long the patience lasts, counted from failing, when the store's
// failures began, if err is the latest failure: 0 if err will not pass.
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
