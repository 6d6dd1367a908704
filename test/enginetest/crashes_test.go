//go:build linux || darwin

package enginetest_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// TestCrashAgainAndAgain kills each program that goes on, too, until one comes
// through. Nothing that is kept is computed again, and each crash costs each
// call one run at most.
func TestCrashAgainAndAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: programs that crash again and again")
	}
	rounds := 6
	if soak {
		rounds = 100
	}
	for name := range scenarios("", "") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			most, slowest := 0, time.Duration(0)
			for range rounds {
				place := t.TempDir()
				dir, file := filepath.Join(place, "dir"), filepath.Join(place, "file")
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte("content of a file"), 0o644); err != nil {
					t.Fatal(err)
				}
				jobs := Jobs{Jobs: scenarios(dir, file)[name], Turns: true}
				crashes := 0
				for crashed := true; crashed; {
					jobs.Crash = enginetest.Crash{Dir: t.TempDir(), Role: enginetest.Orchestrator, Step: 1 + rand.N(30)}
					if rand.N(2) == 0 {
						jobs.Crash.Role, jobs.Crash.Both = enginetest.Worker, rand.N(2) == 0
					}
					kept, ran := results(t, fileRoot(place)), counts(t, enginetest.Tally{Dir: dir})
					began := time.Now()
					p := enginetest.Start(t, place, "jobs", jobs, rootVariable("crash+file", place))
					p.Wait(patience)
					slowest = max(slowest, time.Since(began))
					steps, err := jobs.Crash.Steps()
					if err != nil {
						t.Fatal(err)
					}
					if crashed = steps >= jobs.Crash.Step; crashed {
						crashes++
					} else {
						expect(t, p, jobs)
					}
					for call, n := range counts(t, enginetest.Tally{Dir: dir}) {
						if kept[call] && n > ran[call] {
							t.Errorf("%s was kept, and was computed again:\n%s", call, p.Stderr)
						}
						limit := crashes + 1
						if failing := func(job Job) bool { return job.Work.Name == call && job.Work.End != "" }; slices.ContainsFunc(jobs.Jobs, failing) {
							limit += crashes // each program runs it, and goes on with a fresh worker if its first one crashed
						}
						if n > limit {
							t.Errorf("%s was computed %d times with %d crashes:\n%s", call, n, crashes, p.Stderr)
						}
					}
				}
				most = max(most, crashes)
			}
			t.Logf("%d rounds of up to %d crashes; the slowest program took %v", rounds, most, slowest)
			if slowest > recovery {
				t.Errorf("a program took %v", slowest)
			}
		})
	}
}
