package enginetest

import (
	"bytes"
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
