//go:build !linux

// Package machines are places for workers that are no cluster; see the other file of it.
// It has them on Linux only.
package machines

import "testing"

// SSH is a machine behind ssh.
type SSH struct{ Config, Path string }

// StartSSH skips the test.
func StartSSH(t testing.TB, _ ...string) SSH {
	t.Helper()
	t.Skip("sshd is started on Linux only")
	return SSH{}
}

// StartSlurm skips the test.
func StartSlurm(t testing.TB) string {
	t.Helper()
	t.Skip("Slurm is started on Linux only")
	return ""
}

// Image is a container image.
const Image = ""

// StartDocker skips the test.
func StartDocker(t testing.TB, _ string) string {
	t.Helper()
	t.Skip("containers are run on Linux only")
	return ""
}
