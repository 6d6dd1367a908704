package worker

import (
	"os"
	"strconv"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
)

// Variables by which a container knows how much memory it may have, in bytes, and
// where that number comes from; the latter is there only if there is a limit.
const (
	memoryLimitVariable = "MOPS_K8S_MEMORY_LIMIT"
	memoryFromVariable  = "MOPS_K8S_MEMORY_FROM"
)

// Container is one that a worker has for itself.
type Container struct {
	MemoryLimit int64  `json:"memory_limit,omitempty"` // bytes; 0 if it has none
	MemoryFrom  string `json:"memory_from,omitempty"`  // where the number comes from, for people
}

// thisContainer is that of this process, which is the first in it.
func thisContainer() *Container {
	c := &Container{MemoryFrom: os.Getenv(memoryFromVariable)}
	if c.MemoryFrom != "" {
		c.MemoryLimit, _ = strconv.ParseInt(os.Getenv(memoryLimitVariable), 10, 64)
	}
	return c
}

// describe says in the record of a run what it was allowed.
func (c *Container) describe(ran *record.Run) {
	if c != nil {
		ran.MemoryLimit, ran.MemoryFrom = max(c.MemoryLimit, 0), c.MemoryFrom
	}
}

// peakMemory is the most memory that the task has had, in bytes, as far as that can
// be told: in a process that does other things too, that of all.
func (t Task) peakMemory(ofProgram int64) int64 {
	switch {
	case t.Container != nil:
		return process.ContainerPeak()
	case t.Apart:
		return process.Peak()
	}
	return ofProgram
}

// inUse is what the worker uses now: its container, or the process where it has none.
func (c *Container) inUse() process.Use {
	if c != nil {
		return process.ContainerInUse()
	}
	return process.InUse()
}
