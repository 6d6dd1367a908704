package usage_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/usage"
)

const key = "mops1/default/f@1/a-b-c.00/runs/2611231412-SkirtBus.usage"

// keep keeps samples of a run of that length, and says what was left and how often
// it was written.
func keep(t *testing.T, length time.Duration) (s usage.Series, err error) {
	store := blob.New("", memblob.New())
	began := time.Now()
	end := usage.Keep(t.Context(), store, key, func() process.Use {
		age := time.Since(began)
		return process.Use{CPU: 5*time.Second + age/2, Memory: int64(age / time.Second), Swapped: 7}
	}, slog.New(slog.DiscardHandler))
	time.Sleep(length)
	end()
	return usage.Read(context.Background(), store, key)
}

func TestShortRunLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := keep(t, 3900*time.Millisecond); !blob.Is(err, blob.NotFound) {
			t.Errorf("error %v, want one that says that there is none", err)
		}
	})
}

func TestSamplesAreThinnedOut(t *testing.T) {
	for _, length := range []time.Duration{5 * time.Second, 3 * time.Minute, 10 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s, err := keep(t, length)
			if err != nil {
				t.Fatal(err)
			}
			n := len(s.Seconds)
			if n < 3 || n > 120 {
				t.Fatalf("%d samples of %v", n, length)
			}
			if last := s.Seconds[n-1]; last != length.Seconds() {
				t.Errorf("the last sample is of %v s, not of the end, %v", last, length)
			}
			for i := range s.Seconds {
				if s.CPU[i] < s.Seconds[i]/2-.02 || s.CPU[i] > s.Seconds[i]/2+.02 || s.Swapped[i] != 7 {
					t.Errorf("sample %d: %v s of CPU after %v s, %d bytes swapped", i, s.CPU[i], s.Seconds[i], s.Swapped[i])
				}
				if i > 1 && i < n-1 && s.Seconds[i]-s.Seconds[i-1] > 1.01*max(2, 4*length.Seconds()/120) {
					t.Errorf("no sample between %v and %v s of %v", s.Seconds[i-1], s.Seconds[i], length)
				}
			}
		})
	}
}

// A run that is killed leaves what was known a few seconds before.
func TestRunShowsWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := blob.New("", memblob.New())
		end := usage.Keep(t.Context(), store, key, func() process.Use { return process.Use{Memory: 1} }, slog.New(slog.DiscardHandler))
		defer end()
		for _, age := range []time.Duration{5 * time.Second, 30 * time.Second, 10 * time.Minute} {
			time.Sleep(age)
			s, err := usage.Read(t.Context(), store, key)
			if err != nil {
				t.Fatal(err)
			}
			since := time.Since(s.Began)
			if late := since.Seconds() - s.Seconds[len(s.Seconds)-1]; late > max(5, since.Seconds()/7) {
				t.Errorf("after %v the last sample is %v s old", since, late)
			}
		}
	})
}

func TestNonsenseIsRefused(t *testing.T) {
	store := blob.New("", memblob.New())
	for _, text := range []string{"", "null", "{", `{"format":"mops1-usage","seconds":[1]}`, `{"format":"mops2-usage"}`} {
		if _, err := store.PutBytes(t.Context(), key, []byte(text), blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if s, err := usage.Read(t.Context(), store, key); err == nil {
			t.Errorf("%q was read as %v", text, s)
		}
	}
}
