package summary

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/progress"
)

func TestNewTellsNoSecrets(t *testing.T) {
	arguments := os.Args
	defer func() { os.Args = arguments }()
	os.Args = []string{"program", "--token", "hunter2"}
	s := New(time.Now())
	if s.Arguments != 2 || s.PID != os.Getpid() || !filepath.IsAbs(s.Program) || s.Format != Format {
		t.Errorf("got %+v", s)
	}
	s.Root = "adls://user:hunter2@account/box?sig=hunter2"
	s.Failures = callsOf([]progress.Ended{{MemoURI: "s3://key:hunter2@b/x?a=hunter2"}})
	dir := t.TempDir()
	if err := Write(dir, s); err != nil {
		t.Fatal(err)
	}
	again, path, err := Latest(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if again.End.Before(again.Start) {
		t.Errorf("started %v, ended %v", again.Start, again.End)
	}
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "hunter2") || !strings.Contains(string(data), `"adls://account/box"`) {
		t.Errorf("%v, %s", err, data)
	}
}

func TestWithoutSecrets(t *testing.T) {
	for uri, want := range map[string]string{
		"file:///data/a b%/x":         "file:///data/a b%/x",
		"file:///data/ö?":             "file:///data/ö?",
		"":                            "",
		"https://u:p@h/a?sig=x":       "https://h/a",
		"weird://u:p@h:port/%zz?sig=": "weird://h:port/%zz",
		"mem://x/y":                   "mem://x/y",
	} {
		if got := withoutSecrets(uri); got != want {
			t.Errorf("%s: got %s, want %s", uri, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracker := progress.NewTracker()
		call := func(function, uri string) func(event.Kind, event.Event) {
			number := event.NextCall()
			return func(kind event.Kind, e event.Event) {
				e.Kind, e.Time, e.Call, e.Function, e.MemoURI = kind, time.Now(), number, function, uri
				tracker.Observe(e)
			}
		}
		call("a@0", "")(event.Ended, event.Event{Outcome: event.Hit})
		for _, took := range []time.Duration{time.Second, 2500 * time.Millisecond} {
			tell := call("a@0", "mem://r/a/x")
			tell(event.Asked, event.Event{})
			tell(event.Started, event.Event{ID: executor.ID{RunID: "run1"}, Stage: executor.Running})
			time.Sleep(took)
			tell(event.Ended, event.Event{Outcome: event.Computed})
		}
		call("b@0", "mem://r/b/y")(event.Ended, event.Event{Outcome: event.Failed, Err: errors.New("boom\nat line 3")})
		call("b@0", "mem://r/b/z")(event.Ended, event.Event{Outcome: event.Awaited})
		call("b@0", "mem://r/b/z")(event.Ended, event.Event{Outcome: event.Cancelled})
		call("b@0", "mem://r/b/z")(event.Asked, event.Event{})

		var s Summary
		s.Count(tracker.Snapshot())
		s.Count(tracker.Snapshot()) // takes over, does not add
		want := Summary{
			Totals: Totals{Calls: 7, Hits: 1, Computed: 2, Awaited: 1, Failed: 1, Cancelled: 1, Open: 1, ComputingSeconds: 3.5, LongestSeconds: 2.5},
			Functions: []Function{
				{"a", Totals{Calls: 3, Hits: 1, Computed: 2, ComputingSeconds: 3.5, LongestSeconds: 2.5}},
				{"b", Totals{Calls: 4, Awaited: 1, Failed: 1, Cancelled: 1, Open: 1}},
			},
			Longest: []Call{
				{Function: "a", MemoURI: "mem://r/a/x", Run: "run1", Seconds: 2.5, Outcome: "computed"},
				{Function: "a", MemoURI: "mem://r/a/x", Run: "run1", Seconds: 1, Outcome: "computed"},
			},
			Failures: []Call{{Function: "b", MemoURI: "mem://r/b/y", Outcome: "failed", Error: "boom"}},
		}
		if !reflect.DeepEqual(s, want) {
			t.Errorf("got  %+v\nwant %+v", s, want)
		}
	})
}
