package programs

import (
	"cmp"
	"math"
	"slices"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// Prices are what resources cost, as a config file says.
type Prices struct {
	Currency string           `json:"currency,omitempty"` // such as EUR
	By       map[string]Price `json:"executors,omitempty"`
}

// Price is what resources of one executor cost by the hour.
type Price struct {
	CPU    float64 `json:"cpu,omitempty"`
	Memory float64 `json:"memory,omitempty"` // of a GiB
	GPU    float64 `json:"gpu,omitempty"`
	Spot   float64 `json:"spot,omitempty"` // what capacity that may be taken away costs, as a part of these; 0 if it costs the same
}

// Cost is what a list of uses comes to.
type Cost struct {
	Runs           int64   `json:"runs"`
	CPUHours       float64 `json:"cpu_hours"`        // held: asked for; where nothing was asked for, used
	CPUHoursUsed   float64 `json:"cpu_hours_used"`   //
	MemoryGiBHours float64 `json:"memory_gib_hours"` // held; where nothing was asked for, the peak
	GPUHours       float64 `json:"gpu_hours"`
	Money          float64 `json:"money,omitempty"`    // by executors with prices
	Unpriced       bool    `json:"unpriced,omitempty"` // there are prices, and none for one of the executors
}

const hour = 3600

// Unit is what money is in; "" if there are no prices.
func (p Prices) Unit() string {
	if len(p.By) == 0 {
		return ""
	}
	return cmp.Or(p.Currency, "money")
}

// Columns are the heads of what Cells are, each behind a word such as "saved ".
func (p Prices) Columns(of string) []string {
	return []string{of + "CPU-h", of + "GiB-h", of + "GPU-h", of + p.Unit()}
}

// Cells are a cost for people, in hours and money. A cell of nothing is empty; without
// prices the last one always is.
func (p Prices) Cells(c Cost) []string {
	cells := make([]string, 4)
	for i, hours := range []float64{c.CPUHours, c.MemoryGiBHours, c.GPUHours} {
		if hours > 0 {
			cells[i] = text.Hours(hours)
		}
	}
	if c.Money > 0 {
		cells[3] = text.Money(c.Money)
	}
	return cells
}

// NoPrice is for people if one of the costs shown is Unpriced.
const NoPrice = "some executors have no prices in the config file; what ran there counts as free"

// Plus is the sum of two.
func (c Cost) Plus(d Cost) Cost {
	return Cost{
		Runs: c.Runs + d.Runs, CPUHours: c.CPUHours + d.CPUHours, CPUHoursUsed: c.CPUHoursUsed + d.CPUHoursUsed,
		MemoryGiBHours: c.MemoryGiBHours + d.MemoryGiBHours, GPUHours: c.GPUHours + d.GPUHours, Money: c.Money + d.Money, Unpriced: c.Unpriced || d.Unpriced,
	}
}

// Times is so many times the cost of the same runs.
func (c Cost) Times(n float64) Cost {
	c.Runs = int64(math.Round(float64(c.Runs) * n))
	for _, part := range []*float64{&c.CPUHours, &c.CPUHoursUsed, &c.MemoryGiBHours, &c.GPUHours, &c.Money} {
		*part *= n
	}
	return c
}

// Of adds up what was used.
func (p Prices) Of(list []Use) (c Cost) {
	for _, u := range list {
		c.Runs += u.Runs
		cpu, memory, gpu := u.CPUHeld/hour, u.MemoryGiBSeconds/hour, u.GPUSeconds/hour
		c.CPUHours += cpu
		c.CPUHoursUsed += u.CPUSeconds / hour
		c.MemoryGiBHours += memory
		c.GPUHours += gpu
		if price, known := p.By[u.Executor]; known {
			part := 1.0
			if u.Spot && price.Spot > 0 {
				part = price.Spot
			}
			c.Money += part * (cpu*price.CPU + memory*price.Memory + gpu*price.GPU)
		} else if len(p.By) > 0 {
			c.Unpriced = true
		}
	}
	return c
}

// Table is for people what each function took, and what its hits saved: a head, the
// functions, and their sum if there are several. It is nil if that is nothing to
// speak of.
func (p Prices) Table(functions []Function) [][]string {
	rows := [][]string{slices.Concat([]string{"function"}, p.Columns(""), p.Columns("saved "))}
	var all Function
	for _, f := range functions {
		if len(f.Used)+len(f.Saved) > 0 {
			rows = append(rows, p.row(text.Clean(f.Name), f))
			all.add(f)
		}
	}
	if sum := p.Of(all.Used).Plus(p.Of(all.Saved)); sum.CPUHours+sum.MemoryGiBHours+sum.GPUHours < 0.001 {
		return nil
	}
	if len(rows) > 2 {
		rows = append(rows, p.row("all", all))
	}
	return text.WithoutEmpty(rows)
}

func (p Prices) row(name string, f Function) []string {
	return slices.Concat([]string{name}, p.Cells(p.Of(f.Used)), p.Cells(p.Of(f.Saved)))
}

// Use is what runs of calls on one executor took, all together. What was held is
// what was asked for, for as long as the run took; where nothing was asked for, it
// is what was used.
type Use struct {
	Executor         string  `json:"executor,omitempty"`
	Spot             bool    `json:"spot,omitempty"`
	Runs             int64   `json:"runs"`
	WallSeconds      float64 `json:"wall_seconds,omitempty"`
	CPUSeconds       float64 `json:"cpu_seconds,omitempty"`        // used
	CPUHeld          float64 `json:"cpu_held_seconds,omitempty"`   // CPUs times seconds
	MemoryGiBSeconds float64 `json:"memory_gib_seconds,omitempty"` // held; where nothing was asked for, the peak
	GPUSeconds       float64 `json:"gpu_seconds,omitempty"`        // GPUs times seconds
}

// inProcess is the name of the executor that runs calls in the process that makes them.
const inProcess = "inproc"

// Charge adds a run to what its executor took.
func Charge(list []Use, executor string, spot bool, r Resources) []Use {
	if executor == inProcess { // the process's CPU and memory, which its calls share
		r.CPUSeconds, r.PeakMemory = min(r.CPUSeconds, r.WallSeconds), 0
	}
	for i := range list {
		if u := &list[i]; u.Executor == executor && u.Spot == spot {
			*u = u.of(r)
			return list
		}
	}
	return append(list, Use{Executor: executor, Spot: spot}.of(r))
}

// of adds a run.
func (u Use) of(r Resources) Use {
	u.Runs++
	u.WallSeconds += r.WallSeconds
	u.CPUSeconds += r.CPUSeconds
	if r.CPUs > 0 {
		u.CPUHeld += r.CPUs * r.WallSeconds
	} else {
		u.CPUHeld += r.CPUSeconds
	}
	memory := r.MemoryLimit
	if memory == 0 {
		memory = r.PeakMemory
	}
	u.MemoryGiBSeconds += float64(memory) / (1 << 30) * r.WallSeconds
	u.GPUSeconds += r.GPUs * r.WallSeconds
	return u
}

// Plus is the sum of two on one executor.
func (u Use) Plus(v Use) Use {
	u.Runs += v.Runs
	u.WallSeconds += v.WallSeconds
	u.CPUSeconds += v.CPUSeconds
	u.CPUHeld += v.CPUHeld
	u.MemoryGiBSeconds += v.MemoryGiBSeconds
	u.GPUSeconds += v.GPUSeconds
	return u
}

// Add adds to the use of the same executor in a list.
func Add(list []Use, more Use) []Use {
	for i, u := range list {
		if u.Executor == more.Executor && u.Spot == more.Spot {
			list[i] = u.Plus(more)
			return list
		}
	}
	return append(list, more)
}
