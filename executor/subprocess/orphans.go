//go:build linux || darwin

package subprocess

import (
	"sync"
	"syscall"
)

// orphans are the children that were released. Nobody waits for them, but after
// their end they are zombies until this process takes their exit codes.
// Children belong to the process, not to an executor: hence one list.
var orphans children

type children struct {
	mu   sync.Mutex
	pids []int
}

func (c *children) add(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pids = append(c.pids, pid)
}

// reap takes the exit codes of those that have ended.
func (c *children) reap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := c.pids[:0]
	for _, pid := range c.pids {
		reaped, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		if reaped == 0 && err == nil || err == syscall.EINTR {
			running = append(running, pid)
		}
	}
	c.pids = running
}
