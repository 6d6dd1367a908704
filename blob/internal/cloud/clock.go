package cloud

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Clock is the store's clock, as the Date of its responses tells it (RFC 9110,
// section 6.6.1: in whole seconds, rounded down). The zero value knows nothing yet.
// It is safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	told    time.Time
	at      time.Time // by our monotonic clock, when the response was there
	learned time.Time // when the store was heard last

	doubt   time.Time // what was told that may have been garbled on its way
	doubted time.Time // when it was told; zero where nothing is in doubt
}

// clockAge is how long a time that was told is relied on: our monotonic clock
// runs at the store's pace, to far less than a second in this time.
const clockAge = time.Minute

// A date is in doubt until the next answer agrees with it, if it is off
// by more than this: by firstDoubt from our own clock, which may be wrong, too,
// and by laterDoubt from what the store told before.
const (
	firstDoubt = time.Hour
	laterDoubt = 2 * time.Second // whole seconds, and the way here
)

func (c *Clock) learn(h http.Header) {
	told, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	expected, most := now, firstDoubt
	if !c.at.IsZero() {
		expected, most = c.told.Add(now.Sub(c.at)), laterDoubt
	}
	agreed := false
	if told.Sub(expected).Abs() > most {
		agreed = !c.doubted.IsZero() && told.Sub(c.doubt.Add(now.Sub(c.doubted))).Abs() <= laterDoubt
		c.doubt, c.doubted = told, now
		if !agreed {
			return
		}
	}
	c.learned, c.doubted = now, time.Time{}
	// A date is too early by up to a second, and by the way here, never
	// too late: of what was told lately the latest is the best.
	if agreed || c.at.IsZero() || now.Sub(c.at) > clockAge || told.After(expected) {
		c.told, c.at = told, now
	}
}

// Now is the store's time, or somewhat earlier, up to a second and the time that
// a response takes. Ask sends any request, where the store was not heard for a minute.
func (c *Clock) Now(ctx context.Context, ask func(context.Context) error) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	if now, ok := c.now(); ok {
		return now, nil
	}
	var err error
	for range 2 { // once more where what it told is in doubt
		err = ask(ctx)
		if now, ok := c.now(); ok {
			return now, nil // also an error tells the time
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = &driver.Error{Kind: driver.Unavailable, Err: errors.New("the answer of the store has no date")}
	}
	return time.Time{}, err
}

func (c *Clock) now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.learned) > clockAge {
		return time.Time{}, false
	}
	return c.told.Add(time.Since(c.at)), true
}
