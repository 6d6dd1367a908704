//go:build !linux

package cluster

import (
	"context"
	"os/exec"
)

// A real cluster runs on Linux only; see MissingReal.
type namespace struct{}

func (*Cluster) startReal(context.Context) error { return ErrMissing }

func (*Cluster) command(program string, args ...string) *exec.Cmd {
	return exec.Command(program, args...)
}

func (*namespace) end(context.Context) error { return nil }

func endWithParent(*exec.Cmd) {}

func (*slot) clearMachine(context.Context) error { return nil }
