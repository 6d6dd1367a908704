//go:build linux || darwin

package enginetest_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

const adopted = "is adopted"

// orphan starts a program with one gated job in a subprocess and, when that runs,
// kills the program. The worker runs on.
func orphan(t *testing.T, place string, jobs Jobs) {
	t.Helper()
	job := jobs.Jobs[0]
	first := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	enginetest.Eventually(t, patience, "the worker runs", func() bool { return counts(t, job.Work.tally())[job.Work.Name] == 1 })
	first.Kill()
}

// A worker whose orchestrator was killed goes on, is adopted by the next program,
// and what comes of it is what that program gets.
func TestOrphanIsAdopted(t *testing.T) {
	for _, c := range []struct {
		name string
		on   string
		work Work
		kind string // of the error
		runs int    // of the function
	}{
		{"returns", "sub", Work{}, "", 1},
		{"returns a file", "sub", Work{Write: 100_000}, "", 1},
		{"prints a lot", "sub", Work{Print: 8 << 20}, "", 1},
		{"fails", "sub", Work{End: "fail"}, "func", 1},
		{"panics", "sub", Work{End: "panic"}, "panic", 1},
		// These leave nothing behind, so that they are run again, by the program that adopted them.
		{"crashes", "sub", Work{End: "panic elsewhere"}, "exec WorkerFailed", 2},
		{"is killed", "sub", Work{End: "kill"}, "exec Signalled", 2},

		{"returns far away", "far", Work{Write: 100_000, Print: 1 << 20}, "", 1},
		{"fails far away", "far", Work{End: "fail"}, "func", 1},
		{"is killed far away", "far", Work{End: "kill"}, "exec Signalled", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			c.work.Name, c.work.Dir, c.work.Gate = "a", place, true
			jobs := Jobs{Jobs: []Job{{Work: c.work, On: c.on}}}
			orphan(t, place, jobs)
			began := time.Now()
			second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
			enginetest.Eventually(t, patience, adopted, func() bool { return strings.Contains(second.Stderr.String(), adopted) })
			t.Logf("adopted after %v", time.Since(began))
			if err := c.work.openGate(); err != nil {
				t.Fatal(err)
			}
			began = time.Now()
			second.Wait(patience)
			t.Logf("ended %v after the gate was opened", time.Since(began))
			all := reports(t, second)
			if len(all) != 1 || all[0].Kind != c.kind {
				t.Fatalf("got %+v, want an error of kind %q; standard error:\n%s", all, c.kind, end(second.Stderr.String()))
			}
			if want, _ := c.work.expected(""); c.kind == "" && all[0].Text != want {
				t.Errorf("got %q, want %q", all[0].Text, want)
			}
			if got := counts(t, c.work.tally())["a"]; got != c.runs {
				t.Errorf("the function ran %d times, want %d; standard error:\n%s", got, c.runs, end(second.Stderr.String()))
			}
			if c.work.Print > 0 {
				checkPrinted(t, place, c.work, second)
			}
		})
	}
}

// checkPrinted checks that all that a work printed is in the store, and was shown.
func checkPrinted(t *testing.T, place string, w Work, p *enginetest.Program) {
	t.Helper()
	ctx := context.Background()
	store, err := blob.Open(ctx, "file://"+place+"/root")
	if err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	for info, err := range store.List(ctx, "mops1/", "") {
		if err != nil {
			t.Fatal(err)
		}
		call, err := memokey.Parse(info.Key)
		if prefix, found := strings.CutSuffix(call.Rest, "/000001"); err == nil && found {
			if _, err := runlog.Copy(ctx, &kept, store, call.Path()+"/"+prefix, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	line := w.Name[:1]
	if got := strings.Count(kept.String(), line); got < w.Print*99/100 {
		t.Errorf("%d of %d bytes printed are in the store", got, w.Print)
	}
	if got := strings.Count(p.Stderr.String(), line); got < w.Print*99/100 {
		t.Errorf("%d of %d bytes printed were shown", got, w.Print)
	}
}

// end is what is worth reading of a long output.
func end(text string) string { return text[max(0, len(text)-4000):] }

// An orphan that nobody adopts leaves its result all the same.
func TestOrphanFinishesAlone(t *testing.T) {
	for _, on := range []string{"sub", "far"} {
		t.Run(on, func(t *testing.T) { t.Parallel(); finishesAlone(t, on) })
	}
}

func finishesAlone(t *testing.T, on string) {
	place := t.TempDir()
	w := Work{Name: "a", Dir: place, Gate: true, Print: 1 << 20}
	jobs := Jobs{Jobs: []Job{{Work: w, On: on}}}
	orphan(t, place, jobs)
	if err := w.openGate(); err != nil {
		t.Fatal(err)
	}
	enginetest.Eventually(t, patience, "the orphan has ended", func() bool { return len(enginetest.Processes(place)) == 0 })
	second := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	second.Wait(patience)
	expect(t, second, jobs)
	if all := reports(t, second); len(all) != 1 || all[0].Outcome != "hit" {
		t.Errorf("got %+v, want a hit", all)
	}
	if got := counts(t, w.tally())["a"]; got != 1 {
		t.Errorf("the function ran %d times", got)
	}
}

// Several programs that wait for one orphan share what comes of it.
func TestOrphanIsShared(t *testing.T) {
	for _, ends := range []string{"", "fail"} {
		t.Run("ends "+ends, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			w := Work{Name: "a", Dir: place, Gate: true, End: ends}
			jobs := Jobs{Jobs: []Job{{Work: w, On: "sub"}}, Repeat: 2}
			orphan(t, place, jobs)
			var programs []*enginetest.Program
			for range 3 {
				programs = append(programs, enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place), telling))
			}
			awaitSaid(t, adopted, 1, programs...)
			awaitSaid(t, saysMade, 3, programs...)
			awaitSaid(t, saysWaits, 3, programs...)
			if err := w.openGate(); err != nil {
				t.Fatal(err)
			}
			for _, p := range programs {
				p.Wait(patience)
				expect(t, p, jobs)
			}
			if got := counts(t, w.tally())["a"]; got != 1 {
				t.Errorf("the function ran %d times", got)
			}
		})
	}
}

// Who adopts an orphan may be killed as well.
func TestOrphanIsAdoptedTwice(t *testing.T) {
	t.Parallel()
	place := t.TempDir()
	w := Work{Name: "a", Dir: place, Gate: true}
	jobs := Jobs{Jobs: []Job{{Work: w, On: "sub"}}}
	orphan(t, place, jobs)
	for range 2 {
		next := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
		enginetest.Eventually(t, patience, adopted, func() bool { return strings.Contains(next.Stderr.String(), adopted) })
		next.Kill()
	}
	if left := enginetest.Processes(place); len(left) != 1 && left != nil {
		t.Error("the orphan did not survive who adopted it")
	}
	last := enginetest.Start(t, place, "jobs", jobs, rootVariable("file", place))
	if err := os.WriteFile(place+"/a.gate", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	last.Wait(patience)
	expect(t, last, jobs)
	if got := counts(t, w.tally())["a"]; got != 1 {
		t.Errorf("the function ran %d times", got)
	}
}
