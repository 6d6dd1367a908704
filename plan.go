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
func (p *plan) observe(e event.Event) {
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
func (p *plan) show(engine *orchestrate.Engine) {
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
	rows := [][]string{{"function", "hits", "failed", "to compute", "each takes", "in all", "CPU-hours", "memory", "known from"}}
	var sum estimate
	for _, name := range slices.Sorted(maps.Keys(p.functions)) {
		f := p.functions[name]
		row := []string{name, text.Number(f.hits), numberOr(f.failed, ""), text.Number(f.misses), "", "", "", "", ""}
		sum.hits, sum.misses, sum.failed = sum.hits+f.hits, sum.misses+f.misses, sum.failed+f.failed
		if f.misses > 0 {
			past, version, err := engine.Past(ctx, f.root, f.folder)
			e := estimateOf(past, f.misses)
			switch {
			case err != nil:
				row[8] = "earlier runs cannot be read"
			case e.runs == 0:
				row[8] = "no earlier run"
			default:
				row[4], row[5], row[6], row[7] = text.Duration(e.each), text.Duration(e.wall), hours(e.cpu), memory(e.memory)
				if row[8] = text.Count(e.runs, "run"); version != "" {
					row[8] += " of version " + version
				}
			}
			sum.add(e, f.misses)
		}
		rows = append(rows, row)
	}
	if len(rows) > 2 {
		rows = append(rows, sum.row())
	}
	rows = text.WithoutEmpty(rows)
	text.Table(p.output, "  ", rows, " "+strings.Repeat(">", len(rows[0])-2))
	switch {
	case sum.misses == 0:
		fmt.Fprintln(p.output, "  every result that the program asked for is there")
	case sum.unknown > 0:
		fmt.Fprintf(p.output, "  time, CPU and memory are without %s, of which no earlier run is known\n", text.Count(sum.unknown, "call"))
		fallthrough
	default:
		fmt.Fprintln(p.output, "  not in the table: calls that these would make in turn, and what the program would call once it has their results")
	}
}

// estimate is what calls are expected to take, as earlier runs did.
type estimate struct {
	hits, misses, failed int
	runs                 int           // earlier ones that are known
	each                 time.Duration // the mean of them
	wall, cpu            time.Duration // of all calls, one after the other
	memory               int64         // the most that a run had, in bytes
	unknown              int           // calls without an estimate
}

func estimateOf(past []executor.Past, misses int) (e estimate) {
	var cpu time.Duration
	for _, run := range past {
		e.memory = max(e.memory, run.PeakMemory)
		if run.Reason == "" { // else it did not get to its end
			e.runs++
			e.each += run.Wall
			cpu += run.CPU
		}
	}
	if e.runs == 0 {
		return e
	}
	e.wall, e.cpu = times(e.each, misses, e.runs), times(cpu, misses, e.runs)
	e.each /= time.Duration(e.runs)
	return e
}

// times is d·n/of, where d·n may be longer than a Duration can be.
func times(d time.Duration, n, of int) time.Duration {
	return time.Duration(min(float64(d)*float64(n)/float64(of), float64(1<<62)))
}

func (e *estimate) add(other estimate, misses int) {
	if other.runs == 0 {
		e.unknown += misses
		return
	}
	e.runs += other.runs
	e.wall, e.cpu, e.memory = e.wall+other.wall, e.cpu+other.cpu, max(e.memory, other.memory)
}

// row is the last of the table.
func (e *estimate) row() []string {
	row := []string{"in all", text.Number(e.hits), numberOr(e.failed, ""), text.Number(e.misses), "", "", "", "", ""}
	if e.runs > 0 {
		row[5], row[6], row[7] = text.Duration(e.wall), hours(e.cpu), memory(e.memory)
	}
	return row
}

func numberOr(n int, none string) string {
	if n == 0 {
		return none
	}
	return text.Number(n)
}

func memory(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return text.Bytes(bytes)
}

// hours are for those who pay for them.
func hours(d time.Duration) string {
	switch h := d.Hours(); {
	case d == 0:
		return ""
	case h < 0.01:
		return "< 0.01"
	case h < 100:
		return fmt.Sprintf("%.2f", h)
	default:
		return text.Number(int64(h + 0.5))
	}
}
