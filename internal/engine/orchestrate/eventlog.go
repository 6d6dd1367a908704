package orchestrate

import (
	"log/slog"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
)

// logEvent says what people should know of a call that is not as usual.
func (f *flight) logEvent(ev event.Event) {
	level, text, more := slog.LevelInfo, "", []any(nil)
	switch {
	case ev.Kind == event.Asked && ev.Why != "":
		text, more = "a result is computed again", []any{"why", ev.Why}
	case ev.Kind == event.Waiting && ev.Reason == executor.LeaseLost:
		level, text = slog.LevelWarn, "a lease was lost while its call was computed; waiting for who has it now"
	case ev.Kind == event.Adopted:
		text, more = "a worker that lost its orchestrator is adopted", []any{"run", ev.RunID, "worker", ev.Worker}
	case ev.Kind == event.TakenOver:
		text, more = "a call whose holder is dead is taken over", []any{"holder", ev.For, "host", ev.Place.Host, "lease", ev.LeaseID}
	case ev.Kind == event.AttemptEnded && ev.Detached:
		text, more = "a worker is left running", []any{"run", ev.RunID, "worker", ev.Worker}
	case ev.Kind == event.AttemptEnded && ev.Again:
		text, more = "a run failed and is tried again", []any{"run", ev.RunID, "attempt", ev.Attempt, "error", ev.Err}
		if level = slog.LevelWarn; ev.Unbegun && ev.Attempt <= mostUnrun { // people need not know
			level = slog.LevelDebug
		}
	default:
		return
	}
	f.engine.Logger.Log(f.ownContext(), level, text, append([]any{"call", ev.MemoURI}, more...)...)
}

// holderOf says in words who holds a lease.
func holderOf(s lease.State) string {
	text := "run " + s.RunID
	if s.Handle != "" {
		return text + ", " + s.Handle
	}
	return text + " on " + s.Host
}
