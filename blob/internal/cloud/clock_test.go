package cloud

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
)

func date(t time.Time) http.Header {
	return http.Header{"Date": {t.UTC().Format(http.TimeFormat)}}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ahead = 10 * time.Minute // is the store's clock
		var c Clock
		asked := 0
		answer := func() http.Header { return date(time.Now().Add(ahead)) }
		ask := func(context.Context) error { asked++; c.learn(answer()); return nil }
		expect := func(most time.Duration, requests int) {
			t.Helper()
			now, err := c.Now(t.Context(), ask)
			if late := time.Now().Add(ahead).Sub(now); err != nil || late < 0 || late > most {
				t.Errorf("the clock is %v late (%v)", late, err)
			}
			if asked != requests {
				t.Errorf("the store was asked %d times rather than %d", asked, requests)
			}
		}
		expect(time.Second, 1) // dates have whole seconds, rounded down
		time.Sleep(clockAge / 2)
		expect(time.Second, 1)
		time.Sleep(clockAge)
		expect(time.Second, 2)
		// Of many answers, the one that came right after the second's turn is the best.
		for range 20 {
			time.Sleep(70 * time.Millisecond)
			c.learn(answer())
		}
		expect(80*time.Millisecond, 2)
		c.learn(http.Header{"Date": {"yesterday"}})
		c.learn(date(time.Now().Add(-time.Hour))) // was long under way
		expect(80*time.Millisecond, 2)
	})
}

// The kind of fault: one date was garbled on its way. By the store's clock sessions
// are declared dead and old things removed, so it is not believed before another
// answer agrees.
func TestClockDoesNotBelieveOneDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, ahead := range []time.Duration{0, -10 * time.Minute, 5 * time.Hour} { // is the store's clock
			for _, wrong := range []time.Duration{8 * time.Second, 20 * time.Hour, -20 * time.Hour, 10 * 365 * 24 * time.Hour} {
				right := func() http.Header { return date(time.Now().Add(ahead)) }
				garbled := func() http.Header { return date(time.Now().Add(ahead + wrong)) }
				for name, answers := range map[string][]func() http.Header{
					"first": {garbled, right, right, right}, "later": {right, right, garbled},
					"in between": {right, right, garbled, right}, "after a long time": {right, right, nil, garbled},
				} {
					if name == "first" && wrong.Abs() < firstDoubt && ahead < firstDoubt {
						continue // that nobody can tell
					}
					var c Clock
					for _, answer := range answers {
						if answer == nil {
							time.Sleep(2 * clockAge)
							continue
						}
						c.learn(answer())
						time.Sleep(time.Second)
					}
					now, err := c.Now(t.Context(), func(context.Context) error { c.learn(right()); return nil })
					if late := time.Now().Add(ahead).Sub(now); err != nil || late < 0 || late > time.Second {
						t.Errorf("%v ahead, off by %v %s: the clock is %v late (%v)", ahead, wrong, name, late, err)
					}
				}
			}
		}
		// A clock that was set is followed, once two answers say so.
		var c Clock
		for _, ahead := range []time.Duration{0, 0, time.Minute, time.Minute} {
			c.learn(date(time.Now().Add(ahead)))
			time.Sleep(time.Second)
		}
		if now, err := c.Now(t.Context(), nil); err != nil || now.Before(time.Now().Add(59*time.Second)) {
			t.Errorf("after it was set, the clock tells %v (%v)", now, err)
		}
	})
}

func TestClockWithoutAnAnswer(t *testing.T) {
	broken := errors.New("broken")
	var c Clock
	if _, err := c.Now(t.Context(), func(context.Context) error { return broken }); err != broken {
		t.Errorf("a store that cannot be asked gave %v", err)
	}
	if _, err := c.Now(t.Context(), func(context.Context) error { return nil }); !blob.Is(err, blob.Unavailable) {
		t.Errorf("an answer without a date gave %v", err)
	}
	if _, err := c.Now(t.Context(), func(context.Context) error { c.learn(date(time.Now())); return broken }); err != nil {
		t.Errorf("an error that tells the time gave %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Now(ended, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("under a cancelled context: %v", err)
	}
}
