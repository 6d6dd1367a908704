package worker

import (
	"cmp"
	"os"
	"strconv"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Variables by which a container knows what it asked for and may have. Where it has
// no memory limit, Kubernetes tells what the node has, and memoryFromVariable is not
// there.
const (
	cpuRequestVariable    = "MOPS_K8S_CPU_REQUEST"    // thousandths of a CPU
	memoryRequestVariable = "MOPS_K8S_MEMORY_REQUEST" // bytes
	memoryLimitVariable   = "MOPS_K8S_MEMORY_LIMIT"   // bytes
	memoryFromVariable    = "MOPS_K8S_MEMORY_FROM"    // where the limit comes from, for people
	gpuRequestVariable    = "MOPS_K8S_GPU_REQUEST"    // devices; not there if none
	onSpotVariable        = "MOPS_K8S_ON_SPOT"        // "true" if it may run on spot capacity only; not there otherwise
)

// Container is one that a worker has for itself, or shares with other calls.
type Container struct {
	Place      executor.Place `json:"place,omitzero"`        // what the worker has of it, without host and node
	Shared     bool           `json:"shared,omitempty"`      // what it uses says nothing of one call
	MemoryFrom string         `json:"memory_from,omitempty"` // where the memory limit comes from, for people
}

// thisContainer is that of this process.
func thisContainer() *Container {
	c := &Container{MemoryFrom: os.Getenv(memoryFromVariable)}
	p := &c.Place
	p.Requests.CPU = float64(number(cpuRequestVariable)) / 1000
	p.Requests.Memory, p.Requests.GPU = number(memoryRequestVariable), float64(number(gpuRequestVariable))
	p.Spot = os.Getenv(onSpotVariable) == "true"
	if c.MemoryFrom != "" {
		p.Limits.Memory = number(memoryLimitVariable)
	}
	return c
}

// number is that of a variable; 0 if it has none, or one that makes no sense.
func number(variable string) int64 {
	n, _ := strconv.ParseInt(os.Getenv(variable), 10, 64)
	return max(n, 0)
}

// container is that of the worker, nil if there is none. The calls of a pack that a
// container computes side by side have equal parts of it, and no limits of their own.
func (s Spec) container() *Container {
	if !s.Packed {
		return s.Container
	}
	c, of := thisContainer(), max(s.Side, 1)
	had := c.Place
	c.Shared, c.MemoryFrom, c.Place.Limits = true, "", executor.Resources{}
	c.Place.Requests = executor.Resources{
		CPU: had.Requests.CPU / float64(of), Memory: cmp.Or(had.Limits.Memory, had.Requests.Memory) / int64(of), GPU: had.Requests.GPU / float64(of),
	}
	return c
}

// describe says in the record of a run what it asked for and may have.
func (c *Container) describe(ran *record.Run) {
	if c != nil {
		*ran = ran.On(c.Place)
		ran.MemoryFrom = c.MemoryFrom
	}
}

// peakMemory is the most memory that the task has had, in bytes, as far as that can
// be told: in a process that does other things too, that of all.
func (t Task) peakMemory(ofProgram int64) int64 {
	switch {
	case t.Container != nil && !t.Container.Shared:
		return process.ContainerPeak()
	case t.Apart:
		return process.Peak()
	}
	return ofProgram
}

// inUse is what the worker uses now: its container, or the process where it has none.
func (c *Container) inUse() process.Use {
	if c != nil && !c.Shared {
		return process.ContainerInUse()
	}
	return process.InUse()
}
