package blob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// RetryPolicy says how often and how patiently something is tried, by [Retry] for one. Its zero value
// means the defaults.
type RetryPolicy struct {
	Tries int           // of one operation, the first one included; default 8
	First time.Duration // longest wait before the second try; default 100 ms
	Max   time.Duration // longest wait before any; default 20 s

	// Log is told of tries that fail, one of all in ten seconds; may be nil.
	Log *slog.Logger

	tell func(tries int, err error)
}

// Do calls try until it is done, cannot succeed, or took too many tries. What it
// reports as Throttled or Unavailable is tried again, within ctx. The waits grow
// exponentially with full jitter (AWS Architecture Blog, "Exponential Backoff And
// Jitter", 2015), and are never shorter than the store asked for.
func (p RetryPolicy) Do(ctx context.Context, try func() error) error {
	p = p.withDefaults()
	longest := p.First
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := try()
		if err == nil || !transient(err) {
			return err
		}
		if n >= p.Tries {
			return &driver.Error{Kind: KindOf(err), Err: fmt.Errorf("after %d tries: %w", n, cause(err))}
		}
		if p.tell != nil && n > 1 {
			p.tell(n, err)
		}
		timer := time.NewTimer(max(rand.N(min(longest, p.Max))+1, min(retryAfter(err), p.Max)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w, while waiting to try again after: %w", ctx.Err(), err)
		}
		longest = min(2*longest, p.Max)
	}
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.Tries <= 0 {
		p.Tries = 8
	}
	if p.First <= 0 {
		p.First = 100 * time.Millisecond
	}
	if p.Max <= 0 {
		p.Max = 20 * time.Second
	}
	return p
}

// tellEvery is how often a store is said to fail: where it is out of reach,
// thousands of operations find that out.
const tellEvery = 10 * time.Second

// teller warns of tries that fail.
func (p RetryPolicy) teller(root string) func(int, error) {
	if p.Log == nil {
		return nil
	}
	var mu sync.Mutex
	var told time.Time
	return func(tries int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if !told.IsZero() && time.Since(told) < tellEvery {
			return
		}
		told = time.Now()
		p.Log.Warn("the store does not answer as it should; trying again", "root", root, "tries", tries, "error", err)
	}
}

func transient(err error) bool {
	kind := KindOf(err)
	return kind == Throttled || kind == Unavailable
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// cause is what a driver's error says beyond its kind.
func cause(err error) error {
	if e, ok := err.(*driver.Error); ok && e.Err != nil {
		return e.Err
	}
	return err
}
