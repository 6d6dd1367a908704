package mops_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
)

// Callers come and go, start and cancel, in three environments that share a
// root; callers that stay get the result, and no call runs twice at once.
func TestCallersThatComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: stress")
	}
	rounds := 300
	if os.Getenv("MOPS_SOAK") != "" {
		rounds = 10_000
	}
	root := mops.Root("file://" + t.TempDir())
	const alike = 10 // calls that they make at about the same time
	running := make([]atomic.Int64, rounds/6/2*alike+alike)
	f := mops.Define("f", func(ctx context.Context, n int) (int, error) {
		if running[n].Add(1) > 1 {
			t.Errorf("call %d runs twice at once", n)
		}
		defer running[n].Add(-1)
		select {
		case <-time.After(rand.N(5 * time.Millisecond)):
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}, private(), mops.On(inproc.New(inproc.Limit(8))))
	var all sync.WaitGroup
	for range 3 {
		_, ctx := newEnv(t, root, quiet)
		for range 6 {
			all.Go(func() {
				for i := range rounds / 6 {
					n := i/2*alike + rand.N(alike)
					comeAndGo(t, ctx, f, n)
				}
			})
		}
	}
	all.Wait()
}

func comeAndGo(t *testing.T, ctx context.Context, f *mops.Func[int, int], n int) {
	patience := rand.N(6 * time.Millisecond)
	impatient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out int
	var err error
	switch rand.N(4) {
	case 0:
		out, err = f.Call(impatient, n)
	case 1:
		var call *mops.Call[int]
		if call, err = f.Start(ctx, n); err == nil {
			defer call.Cancel()
			out, err = call.Wait(impatient)
		}
	case 2:
		var outs []int
		if outs, err = f.All(impatient, []int{n}); err == nil {
			out = outs[0]
		}
	default:
		out, err = f.Call(ctx, n)
		if err != nil {
			t.Errorf("a patient caller: %v", err)
		}
	}
	if err == nil && out != n || err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d, %v", out, err)
	}
}

// quiet keeps warnings off the terminal.
var quiet = mops.LogTo(textLogger(nowhere{}))

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
