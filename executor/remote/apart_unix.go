//go:build unix

package remote

import (
	"os/exec"
	"syscall"
)

// apart gives the command a session of its own: Ctrl-C is ours to handle, and without
// a terminal it asks nobody for a password.
func apart(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// signalGroup signals the command with what it started.
func signalGroup(c *exec.Cmd, signal syscall.Signal) { syscall.Kill(-c.Process.Pid, signal) }
