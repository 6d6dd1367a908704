package orchestrate

import (
	"context"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
)

// staged is a fleet that tells how far its workers are: each stage lasts, and the
// worker of the fleet begins after the last one.
type staged struct {
	*fleet
	stages []stage
}

type stage struct {
	executor.Stage
	lasts time.Duration
}

type stagedWorker struct {
	executor.Worker
	begun chan struct{}
	left  context.CancelFunc
}

func (s *staged) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	inv.Tell(s.stages[0].Stage)
	life, leave := context.WithCancel(context.WithoutCancel(ctx))
	w := &stagedWorker{begun: make(chan struct{}), left: leave}
	go func() {
		for _, now := range s.stages {
			inv.Tell(now.Stage)
			select {
			case <-time.After(now.lasts):
			case <-life.Done():
				return
			}
		}
		w.Worker, _ = s.fleet.Start(life, inv)
		close(w.begun)
	}()
	return w, nil
}

func (w *stagedWorker) Handle() string { return "staged" }

func (w *stagedWorker) Wait(ctx context.Context) (executor.Exit, error) {
	select {
	case <-w.begun:
		return w.Worker.Wait(ctx)
	case <-ctx.Done():
		return executor.Exit{}, ctx.Err()
	}
}

func (w *stagedWorker) Stop(context.Context) error {
	w.left()
	return nil
}

// The time limit counts while the worker runs, and not while it waits for its turn,
// for a node or for its image, also where it has to wait again.
func TestTimeLimitCountsRunning(t *testing.T) {
	const limit = 10 * time.Second
	for name, c := range map[string]struct {
		stages []stage
		ended  time.Duration // 0: with success
	}{
		"long waits": {stages: []stage{
			{executor.Queued, time.Hour}, {executor.Pending, time.Hour}, {executor.Starting, time.Minute}, {executor.Running, 0},
		}},
		"suspended meanwhile": {stages: []stage{
			{executor.Running, 6 * time.Second}, {executor.Queued, time.Hour}, {executor.Running, 3 * time.Second},
		}},
		"too long, all in all": {stages: []stage{
			{executor.Running, 6 * time.Second}, {executor.Queued, time.Hour}, {executor.Running, time.Hour},
		}, ended: time.Hour + limit},
	} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				p := r.program("a", &staged{r.fleet, c.stages})
				begun := time.Now()
				got := p.do(r.Context(), 1, func(s *Settings) { s.Timeout = limit })
				if c.ended == 0 {
					r.want(got, 2, Computed)
					return
				}
				failed, ok := got.err.(*executor.Error)
				if !ok || failed.Reason != executor.DeadlineExceeded || time.Since(begun) != c.ended {
					r.Errorf("%v after %v", got.err, time.Since(begun))
				}
			})
		})
	}
}

// People see how far workers are.
func TestStagesAreCounted(t *testing.T) {
	inRoom(t, func(r *rig) {
		tracker := progress.NewTracker()
		p := r.program("a", &staged{r.fleet, []stage{
			{executor.Queued, time.Minute}, {executor.Pending, time.Minute}, {executor.Starting, time.Minute}, {executor.Running, time.Minute},
		}}, func(o *Options) { o.Events.Direct(tracker.Observe) })
		call := p.begin(r.Context(), 1)
		time.Sleep(30 * time.Second)
		for _, want := range []progress.Counts{{Queued: 1}, {Pending: 1}, {Starting: 1}, {Running: 1}} {
			want.Started = 1
			if got := tracker.Snapshot().Total(); got.Counts != want {
				t.Errorf("%+v, want %+v", got.Counts, want)
			}
			time.Sleep(time.Minute)
		}
		r.want(<-call, 2, Computed)
		if oldest := tracker.Snapshot().Longest; len(oldest) != 1 || oldest[0].Took.Truncate(time.Second) != time.Minute {
			t.Errorf("%+v", oldest)
		}
	})
}
