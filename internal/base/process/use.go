package process

import "time"

// Use is what a process, or the container that it runs in, uses.
type Use struct {
	CPU     time.Duration // so far, user and system
	Memory  int64         // bytes that are resident now; 0 if unknown
	Swapped int64         // bytes that are swapped out now
}

// InUse is what this process uses, with the CPU time of the children that it has
// waited for.
func InUse() Use {
	use := residentNow()
	cpu, _ := Usage()
	use.CPU = cpu + childrenCPU()
	return use
}

// ContainerInUse is what the container of this process uses; see ContainerPeak.
func ContainerInUse() Use { return containerInUse("/", InUse()) }
