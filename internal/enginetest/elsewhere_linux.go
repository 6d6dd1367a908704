package enginetest

import (
	"os"
	"syscall"
	"testing"
)

// StartElsewhere is Start in a pid namespace of its own (pid_namespaces(7)):
// neither can such a program see the processes of others, nor they its own, as
// if it ran on another host.
func StartElsewhere(t testing.TB, place, name string, arguments any, env ...string) *Program {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a pid namespace of its own takes root")
	}
	return start(t, "", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}, place, name, arguments, env)
}
