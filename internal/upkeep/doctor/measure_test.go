package doctor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
)

// stalled tells the time, and is then held up for a while, the first times.
type stalled struct {
	*memblob.Store
	times *int
}

func (s stalled) Now(ctx context.Context) (time.Time, error) {
	told, err := s.Store.Now(ctx)
	if *s.times > 0 {
		*s.times--
		time.Sleep(10 * time.Second)
	}
	return told, err
}

// An answer that comes late says little of the clock that it is from.
func TestLateAnswerIsNoSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for times, want := range map[int]float64{1: 0, 3: 0, 100: -5} {
			e := newExam(blob.New("mem://x", stalled{memblob.New(), &times}), Options{Now: time.Now})
			if e.clock(t.Context()); e.report.SkewSeconds == nil || *e.report.SkewSeconds != want {
				t.Errorf("%d times held up: %+v", times, e.report.Lines)
			}
		}
	})
}
