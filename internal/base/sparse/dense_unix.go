//go:build unix

package sparse

import (
	"os"
	"syscall"
)

// Dense reports whether a file surely has no holes: the kernel may copy it, and share
// its blocks.
func Dense(file *os.File) bool {
	info, err := file.Stat()
	if err != nil {
		return false
	}
	system, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(system.Blocks)*512 >= info.Size()
}
