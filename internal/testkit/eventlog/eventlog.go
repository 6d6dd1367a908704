// Package eventlog keeps the events of calls for tests, and holds them to what
// package event promises.
package eventlog

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/event"
)

// Log keeps events. The zero Log is empty.
type Log struct {
	mu     sync.Mutex
	events []event.Event
}

// Observe takes an event.
func (l *Log) Observe(e *event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	event.Complete(e)
	l.events = append(l.events, *e)
}

// All are the events so far.
func (l *Log) All() []event.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Calls are the events of each call, in the order of their first ones.
func (l *Log) Calls() (calls [][]event.Event) {
	at := map[uint64]int{}
	for _, e := range l.All() {
		i, ok := at[e.Call]
		if !ok {
			i = len(calls)
			at[e.Call] = i
			calls = append(calls, nil)
		}
		calls[i] = append(calls[i], e)
	}
	return calls
}

// Words are the events of a call in short: "asked, waiting slot, started running, …".
func Words(call []event.Event) string {
	var words []string
	for _, e := range call {
		word := string(e.Kind)
		switch e.Kind {
		case event.Waiting:
			word += " " + string(e.Wait)
		case event.Started, event.Adopted, event.Stage:
			word += " " + string(e.Stage)
		case event.AttemptEnded:
			if word = "attempt ended"; e.Err != nil {
				word += " " + string(e.Reason)
			}
			if e.Again {
				word += " again"
			}
		case event.Ended:
			word += " " + string(e.Outcome)
		}
		words = append(words, strings.Join(strings.Fields(word), " "))
	}
	return strings.Join(words, ", ")
}

// Check holds the events of calls that have all ended to what is promised.
func (l *Log) Check(t testing.TB) {
	t.Helper()
	for _, call := range l.Calls() {
		if wrong := wrongIn(call); wrong != "" {
			t.Errorf("the events of %s: %s: %s", call[0].MemoURI, wrong, Words(call))
		}
	}
}

func wrongIn(call []event.Event) string {
	if last := call[len(call)-1]; last.Kind != event.Ended {
		return "they have no end"
	}
	begun, open := false, ""
	var own *event.Event // the first that is not about another caller
	for i, e := range call {
		switch {
		case e.Function == "" || e.MemoURI == "" || e.Path == "" || !strings.HasSuffix(e.MemoURI, e.Path):
			return fmt.Sprintf("the call has no names: %+v", e)
		case e.Time.IsZero() || e.Asked.IsZero() || e.Time.Before(e.Asked) || i > 0 && e.Time.Before(call[i-1].Time):
			return fmt.Sprintf("%s at %v, asked for at %v", e.Kind, e.Time, e.Asked)
		case e.Function != call[0].Function || e.MemoURI != call[0].MemoURI:
			return "its names have changed"
		case e.Kind == event.Joined:
			continue
		case own == nil:
			own = &call[i]
		case e.Caller != own.Caller || e.CallerCall != own.CallerCall || !e.Asked.Equal(own.Asked):
			return "its caller has changed"
		}
		if !begun && e.Kind != event.Asked && e.Kind != event.Ended {
			return "it has not begun"
		}
		switch e.Kind {
		case event.Asked:
			if begun {
				return "it begins twice"
			}
			begun = true
		case event.Waiting:
			if open != "" {
				return "it waits in an attempt"
			}
		case event.Started, event.Adopted:
			if open != "" || e.RunID == "" {
				return "an attempt begins in another one, or has no name"
			}
			open = e.RunID
		case event.Stage:
			if open != e.RunID {
				return "a stage of no attempt that is under way"
			}
		case event.AttemptEnded:
			if open != e.RunID {
				return "another attempt ends"
			}
			open = ""
		case event.Ended:
			switch {
			case i != len(call)-1:
				return "something follows the end"
			case open != "":
				return "its attempt has no end"
			case (e.Outcome == event.Hit) == begun && e.Err == nil:
				return "a hit has one event, and what is none has more"
			case (e.Err != nil) != (e.Outcome == event.Failed || e.Outcome == event.Cancelled):
				return fmt.Sprintf("%s, with the error %v", e.Outcome, e.Err)
			}
		}
	}
	return ""
}
