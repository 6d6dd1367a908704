//go:build !unix

package remote

import (
	"os/exec"
	"syscall"
)

func apart(*exec.Cmd) {}

func signalGroup(c *exec.Cmd, _ syscall.Signal) { c.Process.Kill() }
