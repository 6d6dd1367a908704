//go:build !unix

package process

import (
	"errors"
	"syscall"
	"time"
)

func exists(int) bool { return true }

// KillGroup is not supported on this system.
func KillGroup(int, syscall.Signal) error { return errors.ErrUnsupported }

// Usage is not known on this system.
func Usage() (cpu time.Duration, peakMemory int64) { return 0, 0 }
