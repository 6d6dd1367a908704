package progress

import (
	"fmt"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

// call tells a tracker of one call, as the engine does.
type call struct {
	tracker *Tracker
	call    event.Event
}

func hit(t *Tracker, function string) {
	t.Observe(&event.Event{Kind: event.Ended, Call: 1, Function: function + "@0", Outcome: event.Hit})
}

func beginCall(t *Tracker, function, memoURI string) call {
	c := call{t, event.Event{Call: event.NextCall(), Function: function + "@0", MemoURI: memoURI}}
	c.tell(event.Asked, event.Event{})
	return c
}

func (c call) tell(kind event.Kind, e event.Event) {
	e.Kind, e.Time, e.Call, e.Function, e.MemoURI = kind, time.Now(), c.call.Call, c.call.Function, c.call.MemoURI
	told := e
	if c.tracker.Observe(&e); e != told { // the observers behind the tracker get the same one
		panic(fmt.Sprintf("the tracker has changed %+v to %+v", told, e))
	}
}

func (c call) waiting()  { c.tell(event.Waiting, event.Event{Wait: event.ForSlot}) }
func (c call) awaiting() { c.tell(event.Waiting, event.Event{Wait: event.ForLease}) }

func (c call) running(runID, where string) {
	c.tell(event.Started, event.Event{ID: executor.ID{RunID: runID, Executor: where}, Stage: executor.Running})
}

func (c call) stage(stage executor.Stage) { c.tell(event.Stage, event.Event{Stage: stage}) }
func (c call) why(why string) {
	c.tell(event.Stage, event.Event{Stage: executor.Queued, Why: why})
}

func (c call) end(outcome event.Outcome, err error) {
	c.tell(event.Ended, event.Event{Outcome: outcome, Err: err})
}
