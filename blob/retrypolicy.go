package blob

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/errtree"
)

// RetryPolicy says how often and how patiently an operation is tried, by
// [Retry] and others. Its zero value means the defaults.
type RetryPolicy struct {
	Tries int           // of one operation, the first one included; default 8
	First time.Duration // longest wait before the second try; default 100 ms
	Max   time.Duration // longest wait before any; default 20 s

	// Log gets warnings of failed tries, at most one in ten seconds for a store;
	// nil for none.
	Log *slog.Logger

	tell teller
}

// Do calls try until it succeeds, fails for good, or used up its tries. It
// tries again, within ctx, if try reports Throttled or Unavailable. The waits
// grow exponentially with full jitter (AWS Architecture Blog, "Exponential
// Backoff And Jitter", 2015), and are never shorter than the store asks for, up
// to Max.
//
// Under a context of [Patient], Do goes on until the patience has run out, too,
// and then makes a last try.
func (p RetryPolicy) Do(ctx context.Context, try func() error) error {
	p = p.withDefaults()
	patience := patienceOf(ctx)
	if p.tell == nil {
		p.tell = patience.tell
	}
	if p.tell == nil && p.Log != nil {
		p.tell = p.teller("")
	}
	var failing time.Time // since when
	longest := p.First
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := try()
		if err == nil || isExhausted(err) {
			return err
		}
		if failing.IsZero() {
			failing = time.Now()
		}
		lasts := patience.lasts(failing, err)
		left := time.Until(failing.Add(lasts))
		switch {
		case left <= 0 && !transient(err):
			return err
		case left <= 0 && n >= p.Tries:
			failed := fmt.Errorf("after %d tries: %w", n, cause(err))
			if lasts > 0 {
				failed = &exhausted{fmt.Errorf("after %d tries in %v: %w", n, time.Since(failing).Round(time.Second), cause(err))}
			}
			return &driver.Error{Kind: KindOf(err), Err: failed}
		case p.tell != nil && (n > 1 || patience.Made):
			p.tell(n, err, patience.What, left)
		}
		pause := max(rand.N(min(longest, p.Max))+1, min(retryAfter(err), p.Max))
		if left > 0 {
			pause = min(pause, left) // for a last try
		}
		if ended := wait(ctx, pause); ended != nil {
			return fmt.Errorf("%w, while waiting to try again after: %w", ended, err)
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

// Failures of a store are logged once in tellEvery, or once in tellPatiently if
// they may go on for long: thousands of operations find out that a store is out
// of reach.
const (
	tellEvery     = 10 * time.Second
	tellPatiently = time.Minute
)

// teller warns of a failed try: the number of tries so far, the error, the work
// it is for, and how long tries will go on, if there is patience.
type teller func(tries int, err error, what string, left time.Duration)

func (p RetryPolicy) teller(root string) teller {
	if p.Log == nil {
		return nil
	}
	var mu sync.Mutex
	var told, toldPatiently time.Time
	return func(tries int, err error, what string, left time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		last, every := &told, tellEvery
		if left > every {
			last, every = &toldPatiently, tellPatiently
		}
		if !last.IsZero() && time.Since(*last) < every {
			return
		}
		*last = time.Now()
		if left <= 0 {
			p.Log.Warn("the store does not answer as it should; trying again", "root", root, "tries", tries, "error", err)
			return
		}
		p.Log.Warn("the store does not answer as it should; trying on until it does, for so long at most; to cancel the call or the program ends that",
			"root", root, "for", what, "at_most", left.Round(time.Second), "tries", tries, "error", err)
	}
}

func transient(err error) bool {
	kind := KindOf(err)
	return kind == Throttled || kind == Unavailable
}

func retryAfter(err error) time.Duration {
	if e, ok := errtree.AsType[*driver.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// cause is a driver's error without its kind.
func cause(err error) error {
	if e, ok := err.(*driver.Error); ok && e.Err != nil {
		return e.Err
	}
	return err
}
