package mops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/event"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/engine/config"
	"github.com/TrilliantHealth/mops-go/internal/engine/orchestrate"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// plan counts the calls of a program that computes none.
type plan struct {
	output io.Writer // for people

	mu        sync.Mutex
	functions map[string]*planned // by name@version
	missed    map[string]bool     // memo URIs of calls that are to be computed
}

// planned is what is known of the calls of a function.
type planned struct {
	hits, misses, failed int
	root, folder         string // where those lie that are to be computed; root "" if nothing is kept
}

// planned makes a plan if one is wanted. A worker computes.
func (o *envOptions) planned(in inside) (*plan, error) {
	wanted := o.plan
	if !wanted && !o.isolated && !in.worker {
		var err error
		if wanted, err = config.Plan(os.LookupEnv); err != nil {
			return nil, err
		}
	}
	if !wanted || in.worker {
		return nil, nil
	}
	return &plan{output: in.output, functions: map[string]*planned{}, missed: map[string]bool{}}, nil
}

// observe counts a call that has ended.
func (p *plan) observe(e *event.Event) {
	if e.Kind != event.Ended || e.Outcome == event.Awaited || e.Outcome == event.Cancelled {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.functions[e.Function]
	if f == nil {
		f = &planned{}
		p.functions[e.Function] = f
	}
	switch {
	case e.Outcome == event.Hit:
		f.hits++
	case errors.Is(e.Err, ErrPlanned) && p.missed[e.MemoURI]: // made once more, it would be a hit
		f.hits++
	case errors.Is(e.Err, ErrPlanned):
		f.misses++
		f.root, f.folder = strings.TrimSuffix(strings.TrimSuffix(e.MemoURI, e.Path), "/"), path.Dir(e.Path)
		if f.root != "" { // else each is computed
			p.missed[e.MemoURI] = true
		}
	default:
		f.failed++
	}
}

// pastTime bounds how long a plan looks for what earlier runs took.
const pastTime = 30 * time.Second

// show prints the plan, if there is one.
func (p *plan) show(engine *orchestrate.Engine, prices programs.Prices) {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), pastTime)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.output, "plan: nothing was computed, and nothing was written")
	if len(p.functions) == 0 {
		fmt.Fprintln(p.output, "  no call was made")
		return
	}
	rows := [][]string{planRow("function", "hits", "failed", "to compute", "each takes", "in all", prices.Columns(""), "memory", "known from")}
	var sum estimate
	for _, name := range slices.Sorted(maps.Keys(p.functions)) {
		f := p.functions[name]
		each, known, e := "", "", estimate{}
		sum.hits, sum.misses, sum.failed = sum.hits+f.hits, sum.misses+f.misses, sum.failed+f.failed
		if f.misses > 0 {
			past, version, err := engine.Past(ctx, f.root, f.folder)
			e = estimateOf(past, f.misses, prices)
			switch {
			case err != nil:
				known = "earlier runs cannot be read"
			case e.runs == 0:
				known = "no earlier run"
			default:
				each, known = text.Duration(e.each), text.Count(e.runs, "run")
				if version != "" {
					known += " of version " + version
				}
			}
			sum.add(e, f.misses)
		}
		e.hits, e.misses, e.failed = f.hits, f.misses, f.failed
		rows = append(rows, e.row(name, each, known, prices))
	}
	if len(rows) > 2 {
		rows = append(rows, sum.row("in all", "", "", prices))
	}
	rows = text.WithoutEmpty(rows)
	numbers := len(rows[0]) - 1
	if sum.misses > 0 {
		numbers-- // the last column says from where they are known
	}
	text.Table(p.output, "  ", rows, " "+strings.Repeat(">", numbers))
	switch {
	case sum.misses == 0:
		fmt.Fprintln(p.output, "  every result that the program asked for is there")
	case sum.unknown > 0:
		fmt.Fprintf(p.output, "  time, cost and memory are without %s, of which no earlier run is known\n", text.Count(sum.unknown, "call"))
		fallthrough
	default:
		if sum.cost.Unpriced {
			fmt.Fprintln(p.output, "  "+programs.NoPrice)
		}
		fmt.Fprintln(p.output, "  not in the table: calls that these would make in turn, and what the program would call once it has their results")
	}
}

// planRow is a row of the table.
func planRow(name, hits, failed, misses, each, wall string, cost []string, memory, known string) []string {
	return slices.Concat([]string{name, hits, failed, misses, each, wall}, cost, []string{memory, known})
}

// estimate is what calls are expected to take, as earlier runs did.
type estimate struct {
	hits, misses, failed int
	runs                 int           // earlier ones that are known
	each                 time.Duration // the mean of them
	wall                 time.Duration // of all calls, one after the other
	cost                 programs.Cost // of all calls
	memory               int64         // the most that a run had, in bytes
	unknown              int           // calls without an estimate
}

func estimateOf(past []executor.Past, misses int, prices programs.Prices) (e estimate) {
	var used []programs.Use
	for _, run := range past {
		e.memory = max(e.memory, run.PeakMemory)
		if run.Reason == "" { // else it did not get to its end
			e.runs++
			e.each += run.Wall
			used = programs.Charge(used, run.Executor, run.Place.Spot, programs.ResourcesOf(run.Wall, run.CPU, run.PeakMemory, run.Place))
		}
	}
	if e.runs == 0 {
		return e
	}
	times := float64(misses) / float64(e.runs)
	e.wall = time.Duration(min(float64(e.each)*times, 1<<62))
	e.cost = prices.Of(used).Times(times)
	e.each /= time.Duration(e.runs)
	return e
}

func (e *estimate) add(other estimate, misses int) {
	if other.runs == 0 {
		e.unknown += misses
		return
	}
	e.runs += other.runs
	e.wall = max(e.wall, e.wall+other.wall) // a Duration may not hold the sum
	e.cost, e.memory = e.cost.Plus(other.cost), max(e.memory, other.memory)
}

// row is a row of the table.
func (e *estimate) row(name, each, known string, prices programs.Prices) []string {
	wall, memory := "", ""
	if e.runs > 0 {
		wall = text.Duration(e.wall)
		if e.memory > 0 {
			memory = text.Bytes(e.memory)
		}
	}
	failed := ""
	if e.failed > 0 {
		failed = text.Number(e.failed)
	}
	return planRow(name, text.Number(e.hits), failed, text.Number(e.misses), each, wall, prices.Cells(e.cost), memory, known)
}
