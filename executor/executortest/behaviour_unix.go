//go:build unix

package executortest

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func ignoreTermination() { signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) }

func signalSelf(_ context.Context, s script) int {
	syscall.Kill(os.Getpid(), syscall.Signal(s.number))
	select {}
}
