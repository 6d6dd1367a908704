//go:build linux || darwin

package enginetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/internal/engine/worker"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

// soak says that there is time for the large sizes.
var soak = os.Getenv("MOPS_SOAK") == "1"

// patience is how long whatever a program does may take: machines may be busy.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" { // else each program with the race detector takes a second to end
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	_, isWorker := os.LookupEnv(worker.Variable)
	role := enginetest.Orchestrator
	if isWorker {
		role = enginetest.Worker
	}
	enginetest.RegisterCrashStores(role)
	blobtest.RegisterServed()
	if name := os.Getenv(enginetest.ProgramVariable); name != "" {
		// A worker of this program gets here, too, and becomes it in Main.
		options := []mops.EnvOption{mops.LogTo(slog.New(slog.NewTextHandler(os.Stderr, nil))), mops.Progress("off")}
		if isTelling() {
			options = append(options, mops.Observe(tellWaits))
		}
		mops.Main(programs[name], options...)
	}
	mops.Init() // of tests that make calls themselves
	enginetest.SideBySide("8")
	code := m.Run()
	enginetest.RemoveBuilt()
	os.Exit(code)
}

// programs are the programs under test, by name.
var programs = map[string]func(context.Context) error{
	"jobs": runJobs,
}

// Job is one call of a program.
type Job struct {
	Work   Work
	Read   string // path of a file that the work is given
	On     string // executor, see executors
	Detach bool

	Timeout time.Duration
}

// Jobs is what the program "jobs" does.
type Jobs struct {
	Jobs   []Job
	Crash  enginetest.Crash
	Turns  bool // one after the other, instead of all at once
	Repeat int  // calls of each job at once; 0 is 1
}

// Report is what the program says of one call, as a line of JSON.
type Report struct {
	Index   int
	Text    string
	Outcome mops.Outcome
	Error   string `json:",omitempty"`
	Kind    string `json:",omitempty"` // of the error: see kindOf
}

// telling has the program "jobs" say on standard error when all calls are made, and of
// each when it waits for who computes it, and so shares what comes of that.
const (
	tellingVariable = "ENGINETEST_TELLING"
	telling         = tellingVariable + "=1"
	saysMade        = "all calls are made"
	saysWaits       = "a call waits for who computes it"
)

func isTelling() bool { return os.Getenv(tellingVariable) != "" }

func tellWaits(e mops.Event) {
	if e.Kind == mops.CallWaiting && e.Wait == mops.WaitLease {
		fmt.Fprintln(os.Stderr, saysWaits)
	}
}

// awaitSaid waits until so many of the programs have said that.
func awaitSaid(t *testing.T, what string, n int, programs ...*enginetest.Program) {
	t.Helper()
	enginetest.Eventually(t, patience, fmt.Sprintf("%d programs have said %q", n, what), func() bool {
		said := 0
		for _, p := range programs {
			if strings.Contains(p.Stderr.String(), what) {
				said++
			}
		}
		return said >= n
	})
}

func runJobs(ctx context.Context) error {
	var jobs Jobs
	if err := enginetest.Arguments(&jobs); err != nil {
		return err
	}
	if jobs.Crash.Dir != "" {
		jobs.Crash.Enter()
	}
	type started struct {
		index int
		call  *mops.Call[Answer]
		err   error
	}
	var all []started
	out := json.NewEncoder(os.Stdout)
	report := func(s started) {
		r := Report{Index: s.index}
		var answer Answer
		if s.err == nil {
			answer, s.err = s.call.Wait(ctx)
		}
		if s.err == nil {
			r.Text, s.err = answer.text(ctx)
			r.Outcome = s.call.Info().Outcome
		}
		if s.err != nil {
			r.Error, r.Kind = s.err.Error(), kindOf(s.err)
		}
		out.Encode(r)
	}
	for i, job := range jobs.Jobs {
		if job.Read != "" {
			job.Work.Read = mops.File(job.Read)
		}
		options := []mops.Option{mops.On(executors[job.On])}
		if job.Timeout > 0 {
			options = append(options, mops.Timeout(job.Timeout))
		}
		if job.Detach {
			options = append(options, mops.Detach())
		}
		for range max(jobs.Repeat, 1) {
			call, err := doWork.With(options...).Start(ctx, job.Work)
			all = append(all, started{i, call, err})
			if jobs.Turns {
				report(all[len(all)-1])
			}
		}
	}
	if isTelling() {
		fmt.Fprintln(os.Stderr, saysMade)
	}
	if !jobs.Turns {
		for _, s := range all {
			report(s)
		}
	}
	return ctx.Err()
}

// kindOf names the kind of an error of a call, "unexplained" where it is none that is documented.
func kindOf(err error) string {
	if e, ok := errors.AsType[*mops.FuncError](err); ok {
		if e.Panicked {
			return "panic"
		}
		return "func"
	}
	if errors.Is(err, mops.ErrCycle) {
		return "cycle"
	}
	if e, ok := errors.AsType[*mops.ExecError](err); ok {
		return "exec " + string(e.Reason)
	}
	if e, ok := errors.AsType[*blob.Error](err); ok {
		return "blob " + e.Kind.String()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return "context"
	}
	return "unexplained"
}

// reports reads what a program said of its calls, by index.
func reports(t *testing.T, p *enginetest.Program) []Report {
	t.Helper()
	var all []Report
	decoder := json.NewDecoder(stringReader(p.Stdout.String()))
	for {
		var r Report
		err := decoder.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in the output of the program:\n%s\n%s", err, p.Stdout, p.Stderr)
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Report) int { return a.Index - b.Index })
	return all
}

// expect checks that a program said of each job what that job computes.
func expect(t *testing.T, p *enginetest.Program, jobs Jobs) {
	t.Helper()
	all := reports(t, p)
	if want := len(jobs.Jobs) * max(jobs.Repeat, 1); len(all) != want {
		t.Errorf("the program reported %d calls of %d; its standard error:\n%s", len(all), want, p.Stderr)
	}
	for _, r := range all {
		job := jobs.Jobs[r.Index]
		want, kind := job.Work.expected(job.Read)
		if r.Text != want || r.Kind != kind {
			t.Errorf("%s: got %q, %s %q, want %q, %s; standard error:\n%s", job.Work.Name, r.Text, r.Kind, r.Error, want, kind, p.Stderr)
		}
	}
}

func rootVariable(scheme, place string) string {
	return fmt.Sprintf("MOPS_ROOT=%s://%s/root", scheme, place)
}

// fileRoot is the root of most tests.
func fileRoot(place string) string { return "file://" + place + "/root" }
