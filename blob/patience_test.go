package blob_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// An outage may destroy the result of long work. The patience is as long as the
// work took.
func TestPatience(t *testing.T) {
	invalid := &driver.Error{Kind: driver.Invalid}
	for _, c := range []struct {
		name   string
		took   time.Duration // before the outage
		made   bool
		err    error
		outage time.Duration
		kept   bool
	}{
		{"hours for hours", 10 * time.Hour, true, unavailable, 9 * time.Hour, true},
		{"no longer than it took", 10 * time.Hour, true, unavailable, 11 * time.Hour, false},
		{"no longer than the most", 100 * time.Hour, true, unavailable, 13 * time.Hour, false},
		{"a minute for a second", time.Second, true, throttled, 50 * time.Second, true},
		{"a minute and no more", time.Second, true, throttled, 70 * time.Second, false},
		{"new credentials", 10 * time.Hour, true, denied, 14 * time.Minute, true},
		{"no permission", 10 * time.Hour, true, denied, 16 * time.Minute, false},
		{"no permission, before anything is made", 10 * time.Hour, false, denied, time.Second, false},
		{"what does not pass", 10 * time.Hour, true, invalid, time.Nanosecond, false},
		{"a program that has run for hours", 2 * time.Hour, false, unavailable, time.Hour, true},
		{"a program that has just begun", 0, false, unavailable, 20 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				since := time.Now()
				time.Sleep(c.took)
				began := time.Now()
				away := func(op blobtest.Op, key string) error {
					if time.Since(began) < c.outage {
						return c.err
					}
					return nil
				}
				s, _ := retried(newMem(), away, nil)
				ctx := blob.Patient(t.Context(), blob.Patience{Since: since, What: "this", Made: c.made, Allowed: c.made})
				_, err := s.PutBytes(ctx, "key", []byte("dear"), blob.PutOptions{IfAbsent: true})
				if (err == nil) != c.kept {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				if late := time.Since(began) - c.outage; c.kept && late > time.Minute {
					t.Errorf("it took %v to find out that the store is back", late)
				}
			})
		})
	}
}

// The log tells people at once, now and then, and how to end the waiting; a
// cancel ends it.
func TestPatienceIsToldAndEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var said syncbuf.Buffer
		plan := blobtest.FaultPlan{Before: func(blobtest.Op, string) error { return unavailable }}
		s := blob.Retry(blobtest.Faulty(newMem(), plan), blob.RetryPolicy{Log: slog.New(slog.NewTextHandler(&said, nil))})
		since := time.Now()
		time.Sleep(10 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		patient := blob.Patient(ctx, blob.Patience{Since: since, What: "run 7 of train", Made: true})
		time.AfterFunc(time.Millisecond, func() {
			for _, part := range []string{"run 7 of train", "at_most=10h", "out to lunch", "mem://"} {
				if !strings.Contains(said.String(), part) {
					t.Errorf("at once it does not say %q: %s", part, &said)
				}
			}
		})
		_, err := s.PutBytes(patient, "key", []byte("dear"), blob.PutOptions{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a cancelled put: %v", err)
		}
		if n := strings.Count(said.String(), "\n"); n < 30 || n > 61 {
			t.Errorf("in an hour there were %d warnings, want about one a minute", n)
		}
	})
}

// If a driver tries parts of a put again by itself, each part and each put does
// not begin the patience anew, and the log tells of them, too.
func TestPatienceOfParts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var said syncbuf.Buffer
		s := blob.New("mem://parts", partly{memblob.New()})
		s = blob.Retry(s, blob.RetryPolicy{Log: slog.New(slog.NewTextHandler(&said, nil))})
		began := time.Now()
		time.Sleep(time.Hour)
		ctx := blob.Patient(t.Context(), blob.Patience{Since: began, What: "run 7 of train", Made: true})
		_, err := s.PutBytes(ctx, "key", []byte("dear"), blob.PutOptions{})
		if took := time.Since(began) - time.Hour; took > time.Hour+time.Minute {
			t.Errorf("the patience of an hour lasted for %v", took)
		}
		if !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "in 1h0m") {
			t.Errorf("the error does not say how long it was tried: %v", err)
		}
		if n := strings.Count(said.String(), "run 7 of train"); n < 30 || n > 62 {
			t.Errorf("in an hour there were %d warnings, want about one a minute", n)
		}
	})
}

// partly is a driver that puts parts, each of them again and again, in vain.
type partly struct{ driver.Store }

func (p partly) Put(ctx context.Context, _ string, _ io.Reader, _ int64, _ blob.PutOptions) (blob.Info, error) {
	return blob.Info{}, blob.RetryPolicy{}.Do(ctx, func() error { return unavailable })
}
