package page

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/roots"
	"github.com/TrilliantHealth/mops-go/cmd/mops/internal/view"
	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/internal/records/usage"
	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// callPage is the page of a call.
type callPage struct {
	frame
	Call      *view.Call
	Memo      string // path below the root
	Status    string // in a line
	Input     *value
	Output    *value
	Failure   *value
	Stack     string
	Types     []string
	LeaseText text.Facts
	History   []callRun
	Full      bool
	LogOf     string // run id
	Log       string
	LogCut    bool
	Use       *useChart
	FieldsOf  string
	Fields    map[string]any
	Code      string
	Problem   string
	Lineage   lineage
	MoreFiles int
}

// value is a record's value as text.
type value struct {
	Record  *view.Record
	Text    string
	Warning string
}

// callRun is a run of the call in its history.
type callRun struct {
	*view.Run
	Ending string
	Where  string
	Share  float64 // of the memory that it was allowed, in percent
}

const (
	fullValue = 512 << 10 // bytes of a value's text that a page shows at most: browsers take long over more
	mostFiles = 200
)

func newCallPage(ctx context.Context, x roots.Address, now time.Time, full bool) (*callPage, error) {
	v, err := view.ReadCall(ctx, x, now)
	if err != nil {
		return nil, err
	}
	p := &callPage{
		frame: frame{Title: v.Function + " " + v.Words, Kind: "call", Root: v.Root, Now: now, Served: true, Live: v.State == view.Running, Function: x.Path[:strings.LastIndexByte(x.Path, '/')]},
		Call:  v, Memo: x.Path, Full: full,
	}
	p.Input = valueOf(ctx, v.Invocation, full)
	p.Output = valueOf(ctx, v.Result, full)
	if p.Failure = valueOf(ctx, v.Error, full); p.Failure != nil {
		if f := v.Error.Failure; f != nil {
			p.Failure.Text, p.Stack, p.Types = cut(text.CleanLines(f.Message), full), cut(text.CleanLines(f.Stack), true), f.Types
		}
	}
	p.Status = p.statusText()
	if v.LeaseProblem != "" {
		p.Problem = "Lease: " + v.LeaseProblem
	} else if v.Lease != nil && v.State != view.HasResult {
		p.LeaseText = v.Lease.Facts(now, false)
	}
	p.addHistory()
	p.Lineage = lineageOf(v)
	if len(v.Files) > mostFiles {
		v.Files, p.MoreFiles = v.Files[:mostFiles], len(v.Files)-mostFiles
	}
	for _, run := range v.Runs {
		if run.LogBytes > 0 {
			p.LogOf = run.ID
			if p.Log, p.LogCut, err = tail(ctx, v.Place, run.ID, 5*logTail); err != nil {
				p.Log = "(the log could not be read: " + err.Error() + ")"
			}
			break
		}
	}
	p.addUse(ctx)
	return p, nil
}

// valueOf writes the body of a record.
func valueOf(ctx context.Context, r *view.Record, full bool) *value {
	if r == nil {
		return nil
	}
	v := &value{Record: r, Warning: r.Warning()}
	if r.Value != nil {
		var out limited
		dynamic.Write(ctx, &out, r.Value.Value, dynamic.Options{Full: full, Hint: "show all"})
		v.Text = strings.TrimRight(text.CleanLines(strings.ToValidUTF8(out.kept.String(), "")), "\n")
		if out.cut {
			v.Text += "\n… and more; mops inspect --full shows all of it"
		}
	}
	return v
}

// limited keeps the beginning of what is written.
type limited struct {
	kept bytes.Buffer
	cut  bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := max(fullValue-l.kept.Len(), 0)
	l.cut = l.cut || len(p) > room
	l.kept.Write(p[:min(len(p), room)])
	return len(p), nil
}

func cut(message string, full bool) string {
	most := 16 << 10
	if full {
		most = fullValue
	}
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + fmt.Sprintf("… (%s bytes)", text.Number(len(message)))
}

// statusText says how far the call is.
func (p *callPage) statusText() string {
	switch p.Call.State {
	case view.HasResult:
		var header record.ResultHeader
		p.Call.Result.Into(&header)
		switch {
		case p.Call.Injected:
			return "There is a result, put there by hand, " + text.Ago(p.Call.Result.Modified, p.Now)
		case header.Run.Outcome != "":
			return fmt.Sprintf("There is a result, computed in %s by %s, %s", seconds(header.Run.WallSeconds), view.Where(header.Run), text.Ago(p.Call.Result.Modified, p.Now))
		}
		return "There is a result, " + text.Ago(p.Call.Result.Modified, p.Now)
	case view.Running:
		return fmt.Sprintf("Being computed by %s, since %s", p.Call.Lease.Holder.Who(), text.Ago(p.Call.Lease.Since, p.Now))
	case view.HasError:
		return "The last run failed, " + text.Ago(p.Call.Error.Modified, p.Now) + "; the next call runs it again"
	case view.Abandoned:
		return "Abandoned: the process that computed it is dead, and the next call takes over"
	}
	return "Not computed"
}

func (p *callPage) addHistory() {
	const most = 100
	for _, run := range p.Call.Runs[:min(len(p.Call.Runs), most)] {
		row := callRun{Run: run}
		switch r := run.Run; {
		case run.Problem != "":
			row.Ending = run.Problem
		case r == nil && run.Known == "lease":
			row.Ending = "not finished"
		case r == nil:
			row.Ending = "left nothing but its log"
		default:
			row.Ending = strings.TrimSpace(string(r.Outcome) + " " + string(r.Reason))
			row.Where = view.Where(*r)
			row.Share = share(float64(r.PeakMemory), float64(r.MemoryLimit))
			if p.Fields == nil && len(r.Fields) > 0 {
				p.Fields, p.FieldsOf = r.Fields, run.ID
			}
		}
		p.History = append(p.History, row)
	}
}

// lineage is what the call has to do with others, as far as its records say so. Calls
// are named by their memo path, or in another root by their URI.
type lineage struct {
	Run    string // of the program that wanted it
	Caller string
	Made   []string // calls that its function made
	More   int      // that are not in Made
	Read   []readFrom
}

// readFrom is a source in the input that was read from the result of a call.
type readFrom struct {
	Call string
	What string
}

func lineageOf(v *view.Call) (l lineage) {
	var asked record.InvocationHeader
	if v.Invocation != nil {
		v.Invocation.Into(&asked)
	}
	l.Run, l.Caller = asked.ProgramRun, asked.Caller
	for _, s := range asked.Sources {
		if s.From != "" {
			l.Read = append(l.Read, readFrom{s.From, fmt.Sprintf("%s of %s", s.Kind, text.Bytes(s.Size))})
		}
	}
	for _, r := range []*view.Record{v.Error, v.Result} {
		var ran record.RunHeader
		if r != nil {
			r.Into(&ran)
		}
		if ran.Run.ProgramRun != "" {
			l.Run, l.Caller, l.Made, l.More = ran.Run.ProgramRun, ran.Run.Caller, ran.Run.Made, ran.Run.MoreMade
		}
	}
	return l
}

// Known reports whether there is anything to say.
func (l lineage) Known() bool { return l.Run != "" || l.Caller != "" || len(l.Made)+len(l.Read) > 0 }

// useChart is what a run used over time.
type useChart struct {
	Run      string
	Memory   string // points of a polyline, 600 by 80
	CPU      string
	Most     int64 // bytes at the top
	MostCPUs float64
	Swapped  int64 // the most
	Seconds  float64
}

// addUse charts the newest run that left samples.
func (p *callPage) addUse(ctx context.Context) {
	const few = 3
	for _, run := range p.Call.Runs[:min(len(p.Call.Runs), few)] {
		s, err := usage.Read(ctx, p.Call.Place.Store, p.Call.Place.Usage(run.ID))
		if err != nil || len(s.Seconds) < 2 {
			continue
		}
		last := len(s.Seconds) - 1
		rates := make([]int64, len(s.Seconds)) // in thousandths of a CPU
		for i := 1; i <= last; i++ {
			if took := s.Seconds[i] - s.Seconds[i-1]; took > 0 {
				rates[i] = int64(math.Max(s.CPU[i]-s.CPU[i-1], 0) / took * 1000)
			}
		}
		rates[0] = rates[1]
		p.Use = &useChart{
			Run: run.ID, Memory: points(s.Seconds, s.Memory, 600, 80), CPU: points(s.Seconds, rates, 600, 80),
			Most: slices.Max(s.Memory), MostCPUs: float64(slices.Max(rates)) / 1000, Swapped: slices.Max(s.Swapped), Seconds: s.Seconds[last],
		}
		return
	}
}

// points are those of an SVG polyline that rises from the bottom left.
func points(at []float64, values []int64, width, height float64) string {
	var b strings.Builder
	end, top := at[len(at)-1], float64(slices.Max(values))
	for i := range at {
		x, y := 0., height
		if end > 0 {
			x = finite(at[i]) / end * width
		}
		if top > 0 {
			y = height - float64(max(values[i], 0))/top*height
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", x, y)
	}
	return strings.TrimSpace(b.String())
}
