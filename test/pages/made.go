package pages

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/runlog"
	"github.com/TrilliantHealth/mops-go/internal/records/runs"
)

// Made is a run that never was: a program that plans, which makes days, each of which
// fetches stations, fits a model to each and scores it.
type Made struct {
	Calls   int // that are listed, about
	Seed    uint64
	Start   time.Time
	Live    bool // it goes on
	Records bool // those of the failed calls lie in the store, too
}

// made is one call while a run is made up.
type made struct {
	programs.Call
	ready float64 // when it can be asked for
}

// ID is the id of the run.
func (m Made) ID() string { return words.RunID(m.Start, uint32(m.Seed*7919+5)) }

func path(function string, seed uint64, n int) string {
	name, version, _ := strings.Cut(function, "@")
	var seeds [16]byte
	binary.LittleEndian.PutUint64(seeds[:], seed)
	binary.LittleEndian.PutUint64(seeds[8:], uint64(n))
	return memokey.Path("forecast", name, version, memokey.Key(sha256.Sum256(append(seeds[:], function...))))
}

// Put makes the run up and writes it.
func (m Made) Put(ctx context.Context, store *blob.Store) error {
	random := rand.New(rand.NewPCG(m.Seed, 1))
	w := programs.Writer{Store: store, ID: m.ID()}
	err := w.Begin(ctx, programs.Head{
		Program: "/home/ada/forecast/bin/forecast", Build: record.Program{Path: "example.com/forecast", Version: "v1.4.0", Revision: "3f2a1c9d7b604be2a9e88f0d", Dirty: m.Seed%2 == 1, Go: "go1.26.0"},
		OS: "linux", Arch: "amd64", Arguments: 3, Host: "workbench-7", User: "ada", PID: 48213, Start: m.Start,
		Root: store.Root(), Pipeline: "forecast", Options: map[string]string{"executor": "k8s", "retries": "2", "limit": "64"},
		Fields: map[string]any{"ticket": "ML-1742", "notebook": "https://example.com/n/17"},
	})
	if err != nil {
		return err
	}
	calls := m.make(random)
	if m.Records {
		if err := putRecords(ctx, store, m.Start, calls); err != nil {
			return err
		}
	}
	totals := map[string]*programs.Function{}
	var order []string
	state := func(at float64) (s programs.State) {
		s.At = at
		for _, name := range order {
			s.Functions = append(s.Functions, *totals[name])
		}
		return s
	}
	const segment = 5000
	end := 0.0
	for from := 0; from < len(calls); from += segment {
		var lines []byte
		for _, c := range calls[from:min(from+segment, len(calls))] {
			f := totals[c.Function]
			if f == nil {
				f = &programs.Function{Name: c.Function}
				totals[c.Function] = f
				order = append(order, c.Function)
			}
			count(f, c.Call)
			end = max(end, c.Ended)
			var err error
			if lines, err = programs.Encode(lines, c.Call); err != nil {
				return err
			}
		}
		s := state(end)
		if m.Live {
			s.Next = 3
			for i := range 9 {
				c := calls[len(calls)-1-i]
				stage := []string{"running", "running", "running", "starting", "pending", "queued", "waiting"}[i%7]
				open := programs.Open{
					Call: int64(len(calls) + i), Function: "fit@7", Memo: path("fit@7", m.Seed, 1<<30+i), Caller: c.Caller, Stage: stage,
					Asked: end - 40 - float64(i), Executor: "k8s", Run: words.RunID(m.Start, uint32(77+i)), Worker: c.Worker,
				}
				if stage == "running" {
					open.Started = end - 30 + 5*float64(i)
				}
				s.Open = append(s.Open, open)
			}
		}
		if err := w.Append(ctx, s, lines); err != nil {
			return err
		}
	}
	if m.Live {
		return nil
	}
	return w.End(ctx, programs.End{End: m.Start.Add(time.Duration(end * float64(time.Second))), Exit: 1, Error: "12 of 4,000 models failed", State: state(end)})
}

func count(f *programs.Function, c programs.Call) {
	f.Calls++
	switch c.Outcome {
	case "hit":
		f.Hits++
		f.Listed++
		if c.Saved != nil {
			f.Saved = programs.Charge(f.Saved, c.Saved.Executor, c.Saved.Spot, c.Saved.Resources)
		}
	case "computed":
		f.Computed++
	case "failed":
		f.Failed++
	case "awaited":
		f.Awaited++
	case "cancelled":
		f.Cancelled++
	}
	if c.WallSeconds > 0 {
		f.Used = programs.Charge(f.Used, c.Executor, c.Spot, c.Resources)
		f.ComputingSeconds += c.WallSeconds
		f.LongestSeconds = max(f.LongestSeconds, c.WallSeconds)
	}
}

// make makes the calls up: 24 workers take them one after the other.
func (m Made) make(random *rand.Rand) []made {
	const workers = 24
	free := make([]float64, workers)
	for i := range free {
		free[i] = 20 + 10*random.Float64() // until the pods are there
	}
	per := 40 // calls of a day
	days := max(m.Calls/per, 1)
	plan := made{Call: programs.Call{Call: 1, Function: "plan@2", Memo: path("plan@2", m.Seed, 0), Outcome: "computed", Executor: "inproc", Worker: "workbench-7"}}
	all := make([]made, 0, days*per+1)
	n := int64(1)
	next := func(function string, i int, caller string, ready float64) made {
		n++
		return made{Call: programs.Call{Call: n, Function: function, Memo: path(function, m.Seed, i), Caller: caller}, ready: ready}
	}
	hit := func(c made, took float64) made {
		c.Asked, c.Outcome = c.ready, "hit"
		c.Ended = c.Asked + .0004 + .002*random.Float64()
		c.Saved = &programs.Saved{Executor: "k8s", Resources: programs.Resources{WallSeconds: took, CPUSeconds: took * .8, CPUs: 1, MemoryLimit: 1 << 30, PeakMemory: 300 << 20}}
		return c
	}
	worker := func(at float64) (w int, from float64) {
		for i := range free {
			if free[i] < free[w] {
				w = i
			}
		}
		return w, max(free[w], at)
	}
	run := func(c made, took float64, asked programs.Resources) made {
		w, from := worker(c.ready)
		c.Asked, c.Outcome, c.Executor = c.ready, "computed", "k8s"
		c.Worker = fmt.Sprintf("forecast-%04x-%02d", m.Seed*40503%65536, w)
		c.Run = words.RunID(m.Start.Add(time.Duration(from*float64(time.Second))), random.Uint32())
		begin := from
		if from-c.Asked > 1 {
			c.Queued = c.Asked + .2
			c.Pending = from - min(.7, (from-c.Asked)/2)
		}
		c.Starting = max(begin-.4, c.Asked)
		c.Started = begin + .3*random.Float64()
		c.Ended = c.Started + took
		c.Resources = asked
		c.WallSeconds, c.CPUSeconds = took, took*asked.CPUs*(.3+.6*random.Float64())
		c.PeakMemory = int64(float64(asked.MemoryLimit) * (.15 + .7*random.Float64()))
		free[w] = c.Ended
		return c
	}
	small, large := programs.Resources{CPUs: 1, MemoryLimit: 2 << 30}, programs.Resources{CPUs: 4, MemoryLimit: 16 << 30, GPUs: 1}
	scale := min(1, 4000/float64(m.Calls))
	at := .05
	for d := range days {
		day := next("day@4", d, plan.Memo, at)
		day.Asked, day.Outcome, day.Executor, day.Worker = at, "computed", "inproc", "workbench-7"
		day.Started = at
		end := at
		for i := range per - 1 {
			var c made
			id := d*per + i
			took := scale * random.ExpFloat64() * 8
			switch {
			case i%4 == 0 && random.IntN(3) > 0:
				c = hit(next("fetch@11", id, day.Memo, at+.001*float64(i)), 20*took)
			case i%4 == 0:
				c = run(next("fetch@11", id, day.Memo, at+.001*float64(i)), took, small)
			case i%13 == 5:
				c = run(next("score@3", id, path("fit@7", m.Seed, d*per+1), end), took/3, small)
			default:
				c = run(next("fit@7", id, day.Memo, at+.01*float64(i)), 2*took+scale, large)
			}
			dice := random.IntN(max(3000, m.Calls/4))
			switch {
			case c.Outcome == "hit":
			case dice < 4:
				c.Outcome = "failed"
				c.Error = []string{
					`no observations for "Oslo" between 2026-11-02 and 2026-11-09 <script>alert("x")</script>`,
					"panic: runtime error: index out of range [12] with length 12",
					"the worker ran out of memory: it may have 16.0 GiB", "the model did not converge after 400 steps"}[dice]
			case dice < 8:
				c.Attempts = []programs.Attempt{{Run: words.RunID(m.Start, random.Uint32()), Executor: "k8s", Worker: c.Worker, Started: c.Asked, Ended: c.Started - .1, Reason: "oom_killed", Error: "the worker ran out of memory"}}
			case dice < 10:
				c.Outcome, c.Run, c.Executor, c.Worker, c.Resources = "awaited", "", "", "", programs.Resources{}
				c.Queued, c.Pending, c.Starting, c.Started = 0, 0, 0, 0
			case dice == 10:
				c.Outcome = "cancelled"
			}
			end = max(end, c.Ended)
			all = append(all, c)
		}
		day.Ended = end + .01
		day.WallSeconds, day.CPUSeconds = day.Ended-day.Asked, .02
		all = append(all, day)
		at += .5 * scale * random.ExpFloat64()
		plan.Ended = max(plan.Ended, day.Ended+.02)
	}
	plan.Started, plan.WallSeconds = .01, plan.Ended
	return append(all, plan)
}

// putRecords leaves what the failed calls would have left.
func putRecords(ctx context.Context, store *blob.Store, start time.Time, calls []made) error {
	for _, c := range calls {
		if c.Outcome != "failed" {
			continue
		}
		call, err := memokey.Parse(c.Memo)
		if err != nil {
			return err
		}
		failure := record.FuncError{Message: c.Error, Types: []string{"*forecast.GapError", "*errors.errorString"}}
		ending := runs.FuncError
		if strings.HasPrefix(c.Error, "panic") {
			failure.Panic, ending = true, runs.Panic
			failure.Stack = "goroutine 41 [running]:\nruntime/debug.Stack()\n\t/usr/local/go/src/runtime/debug/stack.go:26 +0x64\npanic({0x6f1c40?, 0xc0000b4018?})\n\t/usr/local/go/src/runtime/panic.go:783 +0x132\nexample.com/forecast.fit({0x7fc3, 0x18})\n\t/home/ada/forecast/fit.go:118 +0x1a5\n"
		}
		body, err := failure.Encode()
		if err != nil {
			return err
		}
		head := record.Head{MemoKey: call.Key.String(), RunID: c.Run}
		of := record.Call{Function: call.Name, Version: call.Version, Pipeline: call.Pipeline, Codec: record.Codec, In: "in", Out: "out"}
		run := record.Run{
			Attempt: 1, Outcome: ending, Error: c.Error, Started: start.Add(time.Duration(c.Started * 1e9)), Ended: start.Add(time.Duration(c.Ended * 1e9)),
			WallSeconds: c.WallSeconds, CPUSeconds: c.CPUSeconds, PeakMemory: c.PeakMemory, MemoryLimit: c.MemoryLimit, Host: c.Worker, User: "ada", PID: 7, Executor: c.Executor,
		}
		sealed, err := record.Seal(record.KindError, record.ErrorHeader{RunHeader: record.RunHeader{Head: head, Call: of, Run: run}, Message: c.Error}, body)
		if err != nil {
			return err
		}
		if _, err := store.PutBytes(ctx, c.Memo+"/error", sealed, blob.PutOptions{}); err != nil {
			return err
		}
		w := runlog.NewWriter(store, c.Memo+"/runs/"+c.Run+".log", 1, slog.New(slog.DiscardHandler))
		for i := range 40 {
			fmt.Fprintf(w, "step %3d  loss %.4f  lr 3.0e-04\n", i*10, 1/float64(i+1))
		}
		fmt.Fprintf(w, "\x1b[31merror:\x1b[0m %s\n", c.Error)
		w.Close(ctx)
	}
	return nil
}
