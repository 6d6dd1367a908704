package enginetest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Processes lists those that run in a place, see [PlaceVariable], but for this one.
func Processes(place string) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	mark := []byte(PlaceVariable + "=" + place + "\x00")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// That of a zombie is empty.
		if environ, err := os.ReadFile("/proc/" + entry.Name() + "/environ"); err == nil && bytes.Contains(environ, mark) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// PeakMemory is the most memory that a process that runs has used, in bytes; 0
// when it has ended. What wait4 says is of no use: it counts from before exec.
func PeakMemory(pid int) (peak int64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fmt.Sscan(string(rest), &peak)
	return peak << 10
}
