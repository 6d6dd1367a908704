package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// residentPeak is VmHWM of proc_pid_status(5). The ru_maxrss of getrusage(2) of a
// process that was started by vfork(2), as Go does, begins at that of its parent.
func residentPeak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return number(status, "VmHWM:") << 10
}

// childrenPeak is the peak of the largest of the processes that this one has waited
// for.
func childrenPeak() int64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used) != nil {
		return 0
	}
	return PeakMemory(&used)
}

// childrenCPU is the CPU time of all processes that this one has waited for.
func childrenCPU() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used) != nil {
		return 0
	}
	return CPU(&used)
}

// residentNow is VmRSS and VmSwap of proc_pid_status(5).
func residentNow() Use {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return Use{}
	}
	return Use{Memory: number(status, "VmRSS:") << 10, Swapped: number(status, "VmSwap:") << 10}
}

// containerInUse is what the control group, of version 2, says, less the cached files
// as in containerPeak.
func containerInUse(root string, process Use) Use {
	for _, group := range controlGroups(root) {
		current, ok := count(group, "memory.current")
		if !ok {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(group, "memory.stat"))
		cached := number(stat, "file") - number(stat, "shmem")
		use := Use{CPU: process.CPU, Memory: max(process.Memory, current-max(cached, 0))}
		use.Swapped, _ = count(group, "memory.swap.current")
		cpu, _ := os.ReadFile(filepath.Join(group, "cpu.stat"))
		if all := number(cpu, "usage_usec"); all > 0 {
			use.CPU = time.Duration(all) * time.Microsecond
		}
		return use
	}
	return process
}

// count is the number in a file of a control group.
func count(group, file string) (n int64, ok bool) {
	text, err := os.ReadFile(filepath.Join(group, file))
	if err != nil {
		return 0, false
	}
	n, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n >= 0
}

// containerPeak is what the control group, of version 2, says: memory.peak, less the
// files that are cached now, if that is not less than what its processes have had. See
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files. A cache
// fills whatever limit there is, and dropping it does no harm, so a peak with it
// would say nothing.
func containerPeak(root string, processes int64) int64 {
	for _, group := range controlGroups(root) {
		peak, ok := count(group, "memory.peak")
		if !ok || peak == 0 {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(group, "memory.stat"))
		cached := number(stat, "file") - number(stat, "shmem") // files in memory only count as files, too
		return min(peak, max(processes, peak-max(cached, 0)))
	}
	return processes
}

// controlGroups are the folders where that of this process may be, the best first:
// in a container its path may be the host's, which is not there.
func controlGroups(root string) []string {
	of, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	all := []string{filepath.Join(root, "sys/fs/cgroup")}
	for line := range strings.Lines(string(of)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return append([]string{filepath.Join(all[0], path)}, all...)
		}
	}
	return all
}

// number is that of a line which begins with a key; 0 if there is none.
func number(text []byte, key string) int64 {
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == key {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return max(n, 0)
		}
	}
	return 0
}
