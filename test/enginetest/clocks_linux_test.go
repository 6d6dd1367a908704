package enginetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/internal/testkit/faultproxy"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// Two hosts whose clocks are ten minutes apart: the one that lives keeps its
// call, the one that died loses it in time.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, server *emulator.Server) {
		for _, dead := range []bool{false, true} {
			t.Run(fmt.Sprintf("dead=%t", dead), func(t *testing.T) {
				t.Parallel()
				clocksApart(t, server, dead)
			})
		}
	})
}

func clocksApart(t *testing.T, server *emulator.Server, dead bool) {
	place := t.TempDir()
	root, proxy := server.Behind(t)
	// To a host behind it, the store's clock is ten minutes ahead of its own.
	proxy.Strike(-1, faultproxy.ShiftDates(10*time.Minute), faultproxy.Any)
	w := Work{Name: "a", Dir: place, Gate: true}
	jobs := Jobs{Jobs: []Job{{Work: w}}}
	holder := enginetest.StartElsewhere(t, place, "jobs", jobs, "MOPS_ROOT="+root)
	awaitStarts(t, place, 1)
	if dead {
		holder.Kill()
	}
	began := time.Now()
	other := enginetest.StartElsewhere(t, place, "jobs", jobs, "MOPS_ROOT="+server.Direct(root, proxy))
	if dead {
		enginetest.Eventually(t, 3*time.Minute, "the call is taken over", func() bool { return counts(t, w.tally())["a"] == 2 })
		if took := time.Since(began); took < 15*time.Second {
			t.Errorf("taken over after %v, before it could be known", took)
		} else {
			t.Logf("taken over after %v", took)
		}
	} else {
		select {
		case <-time.After(35 * time.Second): // longer than a dead holder would be waited for
		case <-other.Done():
		}
	}
	if err := w.openGate(); err != nil {
		t.Fatal(err)
	}
	if !dead {
		holder.Wait(patience)
		expect(t, holder, jobs)
	}
	other.Wait(patience)
	expect(t, other, jobs)
	want := 1
	if dead {
		want = 2
	}
	if got := counts(t, w.tally())["a"]; got != want {
		t.Errorf("the function ran %d times, want %d", got, want)
	}
}
