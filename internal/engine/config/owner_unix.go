//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// foreign says to whom a file belongs, or the link to it, if that is neither this
// user, nor the one who became root by sudo, nor root; else "".
func foreign(path string) string {
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := look(path)
		if err != nil {
			continue // whether it can be read is seen when it is
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && !trusted(owner.Uid, os.Geteuid(), os.Getenv("SUDO_UID")) {
			return fmt.Sprintf("it belongs to another user, of the id %d", owner.Uid)
		}
	}
	return ""
}

func trusted(owner uint32, user int, sudo string) bool {
	return owner == 0 || int64(owner) == int64(user) || user == 0 && sudo == strconv.FormatUint(uint64(owner), 10)
}

// openToAll reports whether everybody may put files into a folder.
func openToAll(folder string) bool {
	info, err := os.Stat(folder)
	return err == nil && info.Mode().Perm()&0o002 != 0
}

func sameFileSystem(a, b string) bool {
	device := func(path string) (uint64, bool) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, false
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, false
		}
		return uint64(stat.Dev), true
	}
	deviceA, okA := device(a)
	deviceB, okB := device(b)
	return okA && okB && deviceA == deviceB
}
