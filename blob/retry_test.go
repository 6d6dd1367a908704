package blob_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/blobcount"
)

// first fails the first n operations of one kind, as told.
func first(n int, on blobtest.Op, err error) func(blobtest.Op, string) error {
	return func(op blobtest.Op, _ string) error {
		if op == on && n > 0 {
			n--
			return err
		}
		return nil
	}
}

var (
	unavailable = &driver.Error{Kind: driver.Unavailable, Err: errors.New("out to lunch")}
	throttled   = &driver.Error{Kind: driver.Throttled}
	denied      = &driver.Error{Kind: driver.Denied}
)

// retried is a store whose operations fail as hooks before and after say.
func retried(below *blob.Store, before, after func(blobtest.Op, string) error) (*blob.Store, *blobcount.Counter) {
	counted, counter := blobcount.New(blobtest.Faulty(below, blobtest.FaultPlan{Before: before, After: after}))
	return blob.Retry(counted, blob.RetryPolicy{}), counter
}

func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestRetryConforms(t *testing.T) {
	blobtest.Run(t, func(*testing.T) *blob.Store { return blob.Retry(newMem(), blob.RetryPolicy{}) })
}

// TestRetryConformsOverFaults: with so many tries, no fault comes through.
func TestRetryConformsOverFaults(t *testing.T) {
	blobtest.Run(t, func(*testing.T) *blob.Store {
		plan := blobtest.FaultPlan{Seed: 7, Fail: map[blobtest.Op]float64{blobtest.OpAny: 0.2}}
		return blob.Retry(blobtest.Faulty(newMem(), plan), blob.RetryPolicy{Tries: 50, First: time.Microsecond, Max: time.Microsecond})
	}, blobtest.Except("NoLostSwap", "its writers put equal bytes, which Retry cannot tell apart"))
}

func TestRetryTriesAgain(t *testing.T) {
	for _, fault := range []error{unavailable, throttled} {
		for op, do := range map[blobtest.Op]func(*testing.T, *blob.Store) error{
			blobtest.OpGet:    func(t *testing.T, s *blob.Store) error { _, _, err := s.ReadAll(t.Context(), "key", nil); return err },
			blobtest.OpStat:   func(t *testing.T, s *blob.Store) error { _, err := s.Stat(t.Context(), "key"); return err },
			blobtest.OpDelete: func(t *testing.T, s *blob.Store) error { return s.Delete(t.Context(), "key") },
			blobtest.OpClock:  func(t *testing.T, s *blob.Store) error { _, _, err := s.Now(t.Context()); return err },
			blobtest.OpPut: func(t *testing.T, s *blob.Store) error {
				_, err := s.PutBytes(t.Context(), "new", []byte("x"), blob.PutOptions{IfAbsent: true})
				return err
			},
			blobtest.OpList: func(t *testing.T, s *blob.Store) error {
				for _, err := range s.List(t.Context(), "", "") {
					return err
				}
				return errors.New("nothing is listed")
			},
		} {
			bubble(t, func(t *testing.T) {
				below := newMem()
				below.PutBytes(t.Context(), "key", nil, blob.PutOptions{})
				s, counter := retried(below, first(7, op, fault), nil)
				if err := do(t, s); err != nil {
					t.Errorf("%s: %v", op, err)
				}
				if n := counter.Counts().Total(); n != 8 {
					t.Errorf("%s took %d tries rather than 8", op, n)
				}
			})
		}
	}
}

func TestRetryGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, counter := retried(newMem(), first(100, blobtest.OpStat, unavailable), nil)
		start := time.Now()
		_, err := s.Stat(t.Context(), "key")
		if !blob.Is(err, blob.Unavailable) || !strings.Contains(err.Error(), "after 8 tries: out to lunch") {
			t.Errorf("the error is %v", err)
		}
		if n := counter.Counts().Stat; n != 8 {
			t.Errorf("there were %d tries", n)
		}
		if waited, most := time.Since(start), 12700*time.Millisecond; waited > most+time.Second || waited < 100*time.Millisecond {
			t.Errorf("it took %v, and should take at most %v", waited, most)
		}
	})
}

func TestRetryLeavesOtherErrorsAlone(t *testing.T) {
	for kind, tries := range map[blob.Kind]int{
		blob.Denied: 2, blob.Invalid: 2, // its words may have been garbled
		blob.NotFound: 1, blob.Exists: 1, blob.Mismatch: 1, blob.Corrupt: 1, blob.TooLarge: 1, blob.Other: 1,
	} {
		s, counter := retried(newMem(), first(10, blobtest.OpStat, &driver.Error{Kind: kind}), nil)
		if _, err := s.Stat(t.Context(), "key"); !blob.Is(err, kind) {
			t.Errorf("the error is %v", err)
		}
		if n := counter.Counts().Stat; n != tries {
			t.Errorf("%v: there were %d tries", kind, n)
		}
	}
}

// A refusal whose words were garbled on the way may have been none, or another
// one.
func TestRetryAsksOnceMoreWhatWasRefused(t *testing.T) {
	for _, kind := range []blob.Kind{blob.Denied, blob.Invalid} {
		refused := &driver.Error{Kind: kind}
		s, _ := retried(newMem(), first(1, blobtest.OpStat, refused), nil)
		if _, err := s.Stat(t.Context(), "key"); !blob.Is(err, blob.NotFound) {
			t.Errorf("%v, then not found: %v", kind, err)
		}
		// The put was done, and its answer garbled.
		s, _ = retried(newMem(), nil, first(1, blobtest.OpPut, refused))
		if _, err := s.PutBytes(t.Context(), "key", []byte("ours"), blob.PutOptions{IfAbsent: true}); err != nil {
			t.Errorf("%v of a put that was done: %v", kind, err)
		}
	}
}

func TestRetryEndsWithTheContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, _ := retried(newMem(), first(1000, blobtest.OpStat, unavailable), nil)
		s = blob.Retry(s, blob.RetryPolicy{Tries: 1000, First: time.Hour, Max: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := s.Stat(ctx, "key")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "out to lunch") {
			t.Errorf("the error is %v", err)
		}
		if waited := time.Since(start); waited > time.Minute {
			t.Errorf("it took %v, and the context a minute", waited)
		}
	})
}

func TestLostAcknowledgement(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, below := t.Context(), newMem()
		s, _ := retried(below, nil, first(1, blobtest.OpPut, unavailable))
		info, err := s.PutBytes(ctx, "key", []byte("ours"), blob.PutOptions{IfAbsent: true})
		if err != nil {
			t.Fatalf("a put that was done, and not acknowledged, gave %v", err)
		}
		s, _ = retried(below, nil, first(1, blobtest.OpPut, unavailable))
		swapped, err := s.PutBytes(ctx, "key", []byte("ours again"), blob.PutOptions{IfVersion: info.Version})
		if err != nil {
			t.Fatalf("a swap that was done, and not acknowledged, gave %v", err)
		}
		if now, err := below.Stat(ctx, "key"); err != nil || now.Version != swapped.Version {
			t.Errorf("the version is %q, and the swap returned %q, %v", now.Version, swapped.Version, err)
		}
	})
}

func TestLostAcknowledgementOfAnother(t *testing.T) {
	for what, other := range map[string]string{"shorter": "x", "as long": "other"} {
		bubble(t, func(t *testing.T) {
			ctx, below := t.Context(), newMem()
			info, _ := below.PutBytes(ctx, "there", []byte("before"), blob.PutOptions{})
			interfere := func(op blobtest.Op, key string) error { // another writes, and the try fails
				if op != blobtest.OpPut {
					return nil
				}
				if data, _, _ := below.ReadAll(ctx, key, nil); string(data) == other {
					return nil
				}
				below.PutBytes(ctx, key, []byte(other), blob.PutOptions{})
				return unavailable
			}
			s, _ := retried(below, interfere, nil)
			if _, err := s.PutBytes(ctx, "key", []byte("ours!"), blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
				t.Errorf("%s: a put that lost gave %v", what, err)
			}
			if _, err := s.PutBytes(ctx, "there", []byte("ours!"), blob.PutOptions{IfVersion: info.Version}); !blob.Is(err, blob.Mismatch) {
				t.Errorf("%s: a swap that lost gave %v", what, err)
			}
		})
	}
}

// Retry does not read a large blob back to see who wrote it.
func TestLostAcknowledgementOfALargeBlob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, size := range []int64{16<<20 + 1, -1} {
			s, counter := retried(newMem(), nil, first(1, blobtest.OpPut, unavailable))
			body := bytes.NewReader(make([]byte, 16<<20+1))
			if _, err := s.Put(t.Context(), "key", body, size, blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
				t.Errorf("size %d: %v", size, err)
			}
			if n := counter.Counts(); size > 0 && n.Get != 0 {
				t.Errorf("there were %d gets", n.Get)
			}
		}
	})
}

// TestEqualBytesAreNotOurs: if no try can have been done, a blob of equal bytes
// is somebody else's.
func TestEqualBytesAreNotOurs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		below := newMem()
		below.PutBytes(t.Context(), "key", []byte("same"), blob.PutOptions{})
		for n, fault := range []error{unavailable, throttled} {
			s, _ := retried(below, first(n, blobtest.OpPut, fault), nil) // none, and one that was certainly not done
			if _, err := s.PutBytes(t.Context(), "key", []byte("same"), blob.PutOptions{IfAbsent: true}); !blob.Is(err, blob.Exists) {
				t.Errorf("after %d throttled tries: %v", n, err)
			}
		}
	})
}

func TestRetryReplaysBodies(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	big := strings.Repeat(text, 200)
	seeking := strings.NewReader("skipped" + text)
	seeking.Seek(7, io.SeekStart)
	for name, body := range map[string]struct {
		io.Reader
		size int64
		want string
	}{
		"seeking":         {seeking, int64(len(text)), text},
		"plain":           {io.MultiReader(strings.NewReader(text)), int64(len(text)), text},
		"of no size":      {io.MultiReader(strings.NewReader(text)), -1, text},
		"seeking and big": {strings.NewReader(big), int64(len(big)), big},
	} {
		bubble(t, func(t *testing.T) {
			s, _ := retried(newMem(), first(2, blobtest.OpPut, unavailable), nil)
			if _, err := s.Put(t.Context(), "key", body.Reader, body.size, blob.PutOptions{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, _, err := s.ReadAll(t.Context(), "key", nil); string(got) != body.want {
				t.Errorf("%s: %d bytes arrived, of %d, %v", name, len(got), len(body.want), err)
			}
		})
	}
	for name, size := range map[string]int64{"announced": int64(len(big)), "not announced": -1} {
		bubble(t, func(t *testing.T) {
			s, counter := retried(newMem(), first(1, blobtest.OpPut, unavailable), nil)
			body := io.MultiReader(strings.NewReader(big))
			if _, err := s.Put(t.Context(), "key", body, size, blob.PutOptions{}); !blob.Is(err, blob.Unavailable) {
				t.Errorf("%s: a body that cannot be sent again gave %v", name, err)
			}
			if n := counter.Counts().Put; n != 1 {
				t.Errorf("%s: a body that cannot be sent again was tried %d times", name, n)
			}
			if _, err := s.Put(t.Context(), "key", io.MultiReader(strings.NewReader(big)), size, blob.PutOptions{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got, _, _ := s.ReadAll(t.Context(), "key", nil); string(got) != big {
				t.Errorf("%s: %d bytes arrived, of %d", name, len(got), len(big))
			}
		})
	}
}

// TestRetryResumesLists: a list that breaks off now and again is whole, without
// repetitions.
func TestRetryResumesLists(t *testing.T) {
	bubble(t, func(t *testing.T) {
		below := newMem()
		var want []string
		for i := range 50 {
			want = append(want, fmt.Sprintf("key%02d", i))
			below.PutBytes(t.Context(), want[i], nil, blob.PutOptions{})
		}
		s := blob.Retry(blob.New(below.Root(), breakingOff{below.Driver()}), blob.RetryPolicy{})
		var got []string
		for info, err := range s.List(t.Context(), "key", "key05") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Key)
		}
		if !slices.Equal(got, want[5:]) {
			t.Errorf("listed %q", got)
		}
	})
}

// breakingOff lists three blobs, and then fails.
type breakingOff struct{ driver.Store }

func (b breakingOff) List(ctx context.Context, prefix, startAt string) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		n := 0
		for info, err := range b.Store.List(ctx, prefix, startAt) {
			if n++; n > 3 {
				yield(driver.Info{}, unavailable)
				return
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// The log tells of a store that fails, but not for each of a thousand
// operations.
func TestRetryTells(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var told strings.Builder
		down := blobtest.Faulty(newMem(), blobtest.FaultPlan{Before: func(blobtest.Op, string) error { return unavailable }})
		s := blob.Retry(down, blob.RetryPolicy{Log: slog.New(slog.NewTextHandler(&told, nil))})
		var running sync.WaitGroup
		began := time.Now()
		for range 1000 {
			running.Go(func() { s.Stat(t.Context(), "key") })
		}
		running.Wait()
		most := 1 + int(time.Since(began)/(10*time.Second))
		lines := strings.Count(told.String(), "\n")
		if lines < 1 || lines > most || !strings.Contains(told.String(), "out to lunch") || !strings.Contains(told.String(), s.Root()) {
			t.Errorf("%d lines in %v:\n%s", lines, time.Since(began), &told)
		}
	})
}
