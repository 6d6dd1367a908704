package inherit

import (
	"bytes"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// condition is what a call must leave as it was for the process to take another
// one: its working directory, process group, umask and ignored signals. There
// must be no child left, and not much more memory, files and goroutines.
//
// It cannot see what is in the program's own variables, nor what a goroutine that
// was left behind will do. Package subprocess says so to its users.
type condition struct {
	directory, device uint64
	group             int
	umask, ignored    string // as /proc/self/status has them
	goroutines        int
}

const (
	moreGoroutines = 100       // than before the first call
	mostMemory     = 256 << 20 // resident, in bytes
	mostFiles      = 1024      // for which there is room in the table of open files
)

func presentCondition() (condition, error) {
	c, _, _, err := inspect()
	return c, err
}

// still reports whether the process is as it was.
func (c condition) still() bool {
	now, memory, files, err := inspect()
	if err != nil || memory > mostMemory || files > mostFiles || now.goroutines > c.goroutines+moreGoroutines {
		return false
	}
	now.goroutines = c.goroutines
	return now == c && !hasChildren()
}

func inspect() (c condition, memory, files int64, err error) {
	var directory unix.Stat_t
	if err := unix.Stat(".", &directory); err != nil {
		return c, 0, 0, err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return c, 0, 0, err
	}
	c = condition{directory: directory.Ino, device: directory.Dev, group: unix.Getpgrp(), goroutines: runtime.NumGoroutine()}
	for line := range bytes.Lines(status) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		text := string(bytes.TrimSpace(value))
		switch string(key) {
		case "Umask":
			c.umask = text
		case "SigIgn":
			c.ignored = text
		case "FDSize":
			files, _ = strconv.ParseInt(text, 10, 64)
		case "VmRSS":
			kib, _, _ := bytes.Cut([]byte(text), []byte(" "))
			memory, _ = strconv.ParseInt(string(kib), 10, 64)
			memory <<= 10
		}
	}
	return c, memory, files, nil
}

func hasChildren() bool {
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err != unix.ECHILD
		}
	}
}
