//go:build linux

package machines_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// jobs are the names of those that Slurm has in such a state.
func jobs(t *testing.T, state string) []string {
	t.Helper()
	out, err := exec.Command("squeue", "--noheader", "--states="+state, "--format=%j").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.Fields(string(out))
}

// oneJob waits until there is one.
func oneJob(t *testing.T, state string) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for names = jobs(t, state); len(names) != 1; names = jobs(t, state) {
		if !sleep.For(ctx, 50*time.Millisecond) {
			t.Fatalf("the jobs that are %s: %q", state, names)
		}
	}
	return names
}

// What Slurm does to a job ends the call with the reason.
func TestSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts Slurm")
	}
	t.Setenv("SLURM_CONF", machines.StartSlurm(t))
	t.Setenv("MOPS_CACHE", t.TempDir())
	failure := func(t *testing.T, err error, reasons ...executor.Reason) {
		t.Helper()
		failed, ok := errors.AsType[*mops.ExecError](err)
		if !ok {
			t.Fatalf("%v", err)
		}
		for _, r := range reasons {
			if failed.Reason == r {
				t.Logf("%v", err)
				return
			}
		}
		t.Errorf("%v", err)
	}
	t.Run("loses srun", func(t *testing.T) {
		v := visit(t, remote.New(remote.Slurm()))
		// The machine of srun fails at once: the child that it has would cancel the job
		// if it saw it die.
		kill(t, signalChild(t, os.Getpid(), "srun", syscall.SIGSTOP), "srun")
		kill(t, os.Getpid(), "srun")
		v.want(t)
		// Nobody ends a job whose srun is dead, until its time is over.
		if output, err := exec.Command("scancel", "--name="+oneJob(t, "RUNNING")[0]).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	})
	t.Run("cancelled by others", func(t *testing.T) {
		v := visit(t, remote.New(remote.Slurm()))
		defer v.door.Close()
		names := oneJob(t, "RUNNING") // that of the test before may take its time to end
		output, err := exec.Command("scancel", "--name="+names[0]).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		_, err = v.call.Wait(v.ctx)
		failure(t, err, executor.Signalled, executor.WorkerLost)
	})
	t.Run("refused", func(t *testing.T) {
		env := environment(t)
		_, err := whose.With(mops.On(remote.New(remote.Slurm("--partition=none")))).Call(env.Context(t.Context()), 1)
		failure(t, err, executor.LaunchFailed)
		if !strings.Contains(err.Error(), "invalid partition") {
			t.Error("the words of srun are missing")
		}
	})
	t.Run("left in the queue", func(t *testing.T) {
		env := environment(t)
		ctx, cancel := context.WithCancel(env.Context(t.Context()))
		call, err := whose.With(mops.On(remote.New(remote.Slurm("--begin=now+1hour")))).Start(ctx, 2)
		if err != nil {
			t.Fatal(err)
		}
		oneJob(t, "PENDING")
		cancel()
		if _, err := call.Wait(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		env.Close()                                                  // waits for the worker
		settle, end := context.WithTimeout(t.Context(), time.Minute) // Slurm ends its job by and by
		defer end()
		for left := jobs(t, "PENDING"); len(left) > 0; left = jobs(t, "PENDING") {
			if !sleep.For(settle, 50*time.Millisecond) {
				t.Fatalf("the queue has %q", left)
			}
		}
	})
}
