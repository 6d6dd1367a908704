package orchestrate

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/engine/function"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

func refresh(s *Settings)        { s.Refresh = true }
func keepErrors(s *Settings)     { s.KeepErrors = true }
func requireResults(s *Settings) { s.RequireResults = true }

// counts lets the function return how often it was called with its input.
func (r *rig) counts() {
	r.do = func(_ context.Context, n int) (int, error) {
		time.Sleep(time.Second)
		return r.ran(n), nil
	}
}

// damages writes rubbish over a record of a call: its "result", "error" or "lease".
func (r *rig) damages(p *program, n int, record string) {
	r.Helper()
	place := p.Place(p.call(n))
	if _, err := place.Store.PutBytes(r.Context(), place.Path+"/"+record, []byte("rubbish"), blob.PutOptions{}); err != nil {
		r.Fatal(err)
	}
}

// everywhere runs a test with an executor in this process, and with one elsewhere.
func everywhere(t *testing.T, test func(r *rig, at executor.Executor)) {
	t.Run("here", func(t *testing.T) { inRoom(t, func(r *rig) { test(r, here()) }) })
	t.Run("elsewhere", func(t *testing.T) { inRoom(t, func(r *rig) { test(r, r.fleet) }) })
}

// With Refresh, a program computes a call anew once, and its result replaces the
// other. What a worker finds that is younger than the refresh counts as refreshed.
func TestRefresh(t *testing.T) {
	everywhere(t, func(r *rig, at executor.Executor) {
		r.counts()
		a, b := r.program("a", at), r.program("b", at)
		began := time.Now()
		r.want(a.do(r.Context(), 1), 1, Computed)
		r.want(a.do(r.Context(), 1, refresh), 2, Computed)
		r.want(a.do(r.Context(), 1, refresh), 2, Hit)
		r.want(b.do(r.Context(), 1), 2, Hit)
		r.want(b.do(r.Context(), 1, refresh), 3, Computed)
		r.want(a.do(r.Context(), 1), 3, Hit)
		for name, since := range map[string]time.Time{"since then": began, "since now": time.Now()} {
			time.Sleep(time.Second)
			c := r.program(name, at, func(o *Options) { o.Since = since })
			how, out := Hit, r.ran(1)
			if name == "since now" {
				how, out = Computed, out+1
			}
			r.want(c.do(r.Context(), 1, refresh), out, how)
		}
	})
}

// Two programs refresh one call at a time: the second waits for what the first
// computes, and one that does not refresh has the old result meanwhile.
func TestRefreshesAtATime(t *testing.T) {
	everywhere(t, func(r *rig, at executor.Executor) {
		r.counts()
		a, b, c := r.program("a", at), r.program("b", at), r.program("c", at)
		r.want(a.do(r.Context(), 1), 1, Computed)
		first := a.begin(r.Context(), 1, refresh)
		time.Sleep(time.Second / 10)
		second := b.begin(r.Context(), 1, refresh)
		time.Sleep(time.Second / 10)
		r.want(c.do(r.Context(), 1), 1, Hit)
		r.want(<-first, 2, Computed)
		r.want(<-second, 2, Awaited)
		r.wantRuns(1, 2)
	})
}

// A damaged record counts as none, and is replaced.
func TestDamagedRecords(t *testing.T) {
	everywhere(t, func(r *rig, at executor.Executor) {
		r.counts()
		a, b := r.program("a", at), r.program("b", at)
		r.want(a.do(r.Context(), 1), 1, Computed)
		r.damages(a, 1, "result")
		r.damages(a, 1, "lease")
		time.Sleep(time.Second) // so that the next lease is younger than the damage
		first := a.begin(r.Context(), 1)
		time.Sleep(time.Second / 10)
		second := b.begin(r.Context(), 1)
		r.want(<-first, 2, Computed)
		r.want(<-second, 2, Awaited)
		r.want(b.do(r.Context(), 1), 2, Hit)
		for _, want := range []string{"a damaged result is computed again", "a damaged lease is replaced"} {
			if !strings.Contains(r.logged.String(), want) {
				r.Errorf("the log does not say %q", want)
			}
		}
	})
}

// With KeepErrors, the error of a function is the outcome of later calls, until one
// does without the option, refreshes, or finds the error damaged.
func TestKeptErrors(t *testing.T) {
	everywhere(t, func(r *rig, at executor.Executor) {
		r.do = func(context.Context, int) (int, error) { return 0, errors.New("no such number") }
		a, b := r.program("a", at), r.program("b", at)
		run := ""
		fails := func(p *program, again bool, change ...func(*Settings)) {
			r.Helper()
			got := p.do(r.Context(), 1, change...)
			failed, ok := errors.AsType[*FuncError](got.err)
			if !ok || failed.Error() != "no such number" || (failed.RunID != run) != again {
				r.Errorf("it ended with %d, %v, of the run %+v after %s", got.out, got.err, failed, run)
			}
			if ok {
				run = failed.RunID
			}
		}
		fails(a, true, keepErrors)
		fails(a, false, keepErrors)
		fails(b, false, keepErrors)
		fails(b, true)
		fails(a, false, keepErrors)
		fails(a, true, keepErrors, refresh)
		r.damages(a, 1, "error")
		fails(a, true, keepErrors)
		r.do = func(_ context.Context, n int) (int, error) { return 2 * n, nil }
		r.want(a.do(r.Context(), 1), 2, Computed)
		r.want(a.do(r.Context(), 1, keepErrors), 2, Hit)
	})
}

// Where results are required nothing runs, and the error says what is known.
func TestRequiredResults(t *testing.T) {
	inRoom(t, func(r *rig) {
		a := r.program("a", here())
		lacks := func(why string) {
			r.Helper()
			got := a.do(r.Context(), 1, requireResults)
			if !errors.Is(got.err, ErrNoResult) || !strings.Contains(got.err.Error(), why) {
				r.Errorf("it ended with %d, %v, which does not say %q", got.out, got.err, why)
			}
		}
		lacks("there is no result")
		r.do = func(context.Context, int) (int, error) { return 0, errors.New("no such number") }
		a.do(r.Context(), 1)
		lacks("failed: no such number")
		r.do = func(_ context.Context, n int) (int, error) { return 2 * n, nil }
		r.want(a.do(r.Context(), 1), 2, Computed)
		r.want(a.do(r.Context(), 1, requireResults), 2, Hit)
		r.damages(a, 1, "result")
		lacks("the result is damaged")
		r.wantRuns(1, 2)
	})
}

// A result is found where an earlier version of the function put it, at this root
// or another, and stays there. What is damaged there is passed over; what cannot
// be read is an error.
func TestOldHomes(t *testing.T) {
	for name, elsewhere := range map[string]string{"this root": "", "another root": "-before"} {
		t.Run(name, func(t *testing.T) {
			inRoom(t, func(r *rig) {
				old := r.program("old", here())
				old.root = strings.Replace(old.root, "#", elsewhere+"#", 1)
				defer memblob.Forget("mem://" + r.name + elsewhere)
				home := memokey.Home{Root: old.root, Pipeline: "p", Name: "room/f", Version: "0"}
				a := r.program("a", here())
				a.f = define(r, function.NewRegistry(function.Sources{}), "1", func(_ context.Context, n int) (int, error) { return 3 * n, nil }, home)
				for n := range 3 {
					r.want(old.do(r.Context(), n), 2*n, Computed)
				}
				outcome, err := a.Do(r.Context(), a.call(0), LeaveSettled)
				if err != nil || outcome.How != Hit || outcome.Place.URI() != old.Place(old.call(0)).URI() {
					r.Errorf("a result at the old home is %q of %s, %v", outcome.How, outcome.Place.URI(), err)
				}
				r.want(a.do(r.Context(), 1), 2, Hit)
				r.want(a.do(r.Context(), 1, refresh), 3, Computed)
				r.want(a.do(r.Context(), 1), 3, Hit)
				r.want(old.do(r.Context(), 1), 2, Hit)
				r.damages(old, 2, "result")
				r.want(a.do(r.Context(), 2), 6, Computed)
				if got := a.do(r.Context(), 3, requireResults); !errors.Is(got.err, ErrNoResult) || !strings.Contains(got.err.Error(), "old home") {
					r.Errorf("with no result anywhere it ended with %v", got.err)
				}
				r.want(a.do(r.Context(), 3), 9, Computed)
				old.vanishes()
				if got := a.do(r.Context(), 4); got.err == nil || !strings.Contains(got.err.Error(), "old home") {
					r.Errorf("with an old home that is away it ended with %d, %v", got.out, got.err)
				}
				old.returns()
				r.want(a.do(r.Context(), 4), 12, Computed)
			})
		})
	}
}

// A program that has read a result before asks its store for it no more.
func TestResultsOfThisMachine(t *testing.T) {
	inRoom(t, func(r *rig) {
		dir := t.TempDir()
		cached := func(o *Options) { o.CacheDir, o.CacheSize = dir, 1<<20 }
		a, b := r.program("a", here(), cached), r.program("b", here(), cached)
		r.want(a.do(r.Context(), 1), 2, Computed)
		r.want(a.do(r.Context(), 1), 2, Hit)
		b.vanishes()
		r.want(b.do(r.Context(), 1), 2, Hit)
	})
}

// What a worker prints is shown while it runs.
func TestOutput(t *testing.T) {
	inRoom(t, func(r *rig) {
		var shown screen
		a := r.program("a", r.fleet, func(o *Options) {
			o.Output = func(string, string) io.WriteCloser { return &shown }
		})
		r.do = func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			if shown.String() != "the worker begins\n" {
				r.Errorf("of the worker is shown: %q", &shown)
			}
			return 2 * n, nil
		}
		r.want(a.do(r.Context(), 1), 2, Computed)
	})
}

// An engine that was closed makes no calls, and gives up those under way.
func TestClosed(t *testing.T) {
	inRoom(t, func(r *rig) {
		r.waitsFor(nil)
		a := r.program("a", here())
		call := a.begin(r.Context(), 1)
		time.Sleep(time.Second)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		_, err := a.Start(r.Context(), a.call(1))
		for _, err := range []error{err, (<-call).err, a.do(r.Context(), 2).err, a.Inject(r.Context(), a.call(3), new(int))} {
			if !errors.Is(err, ErrClosed) {
				r.Errorf("a call ended with %v", err)
			}
		}
	})
}
