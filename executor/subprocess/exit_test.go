//go:build linux || darwin

package subprocess_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

func shell(script string) *subprocess.Executor {
	return subprocess.New(subprocess.Command("/bin/sh", "-c", script), subprocess.Grace(patience))
}

func TestExitError(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		code   int
		reason executor.Reason
		says   []string
	}{
		"killed":        {"kill -KILL $$", -1, executor.Signalled, []string{"killed by SIGKILL, not by mops", "f@1"}},
		"terminated":    {"kill -TERM $$", -1, executor.Signalled, []string{"killed by SIGTERM"}},
		"heeds SIGTERM": {"trap 'exit 143' TERM; kill -TERM $$; exit 1", 143, executor.Signalled, []string{"ended by SIGTERM, not by mops"}},
		"heeds SIGHUP":  {"exit 129", 129, executor.Signalled, []string{"ended by SIGHUP"}},
		"code":          {"exit 3", 3, executor.WorkerFailed, []string{"exit code 3"}},
		"crash":         {"echo 'panic: boom' >&2; exit 2", 2, executor.WorkerFailed, []string{"crashed"}},
		"no crash":      {"echo 'no panic' >&2; exit 2", 2, executor.WorkerFailed, []string{"exit code 2"}},
		"Go's memory":   {"echo 'fatal error: runtime: out of memory' >&2; exit 2", 2, executor.OOMKilled, []string{"memory"}},
		"no memory":     {"echo 'panic: fork: cannot allocate memory' >&2; exit 2", 2, executor.OOMKilled, []string{"memory"}},
		"talk of it":    {"echo 'cannot allocate memory'; exit 3", 3, executor.WorkerFailed, []string{"exit code 3"}},
		"a function's":  {"exit 46", 46, "", nil},
		"a lost lease":  {"exit 47", 47, "", nil},
		"nothing wrong": {"exit 0", 0, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			exit, _ := run(t, shell(c.script), executor.Invocation{Function: "f@1"})
			if exit.Code != c.code {
				t.Errorf("exit code %d, want %d", exit.Code, c.code)
			}
			if c.reason == "" {
				if exit.Err != nil {
					t.Errorf("%v; want no error", exit.Err)
				}
				return
			}
			f := failure(t, exit.Err, c.reason)
			for _, words := range c.says {
				if !strings.Contains(f.Message, words) {
					t.Errorf("%q does not say %q", f.Message, words)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	exit, _ := run(t, subprocess.New(), invocation("nothing"))
	if exit.CPU <= 0 || exit.CPU > time.Minute || exit.PeakMemory < 1<<20 || exit.PeakMemory > 1<<32 {
		t.Errorf("CPU %v, peak memory %d bytes", exit.CPU, exit.PeakMemory)
	}
}

// TestOutOfAddressSpace: Go itself says that it got no memory.
func TestOutOfAddressSpace(t *testing.T) {
	limited := fmt.Sprintf("ulimit -v 8000000 && exec %s", os.Args[0])
	exit, printed := run(t, shell(limited), invocation("reserver"))
	if strings.Contains(printed, "ThreadSanitizer") {
		t.Skip("the race detector needs more address space than a limit could leave: ", printed)
	}
	f := failure(t, exit.Err, executor.OOMKilled)
	if exit.Code != 2 || !strings.Contains(f.Tail, "out of memory") {
		t.Errorf("exit code %d; the tail does not say why:\n%s", exit.Code, f.Tail)
	}
}

// TestOutOfMemory lets the kernel kill a worker in a cgroup of its own. It needs
// the right to make one.
func TestOutOfMemory(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getenv("MOPS_SOAK") == "" {
		t.Skip("makes a cgroup of this machine: only on Linux, with MOPS_SOAK=1")
	}
	group, limit := "/sys/fs/cgroup/memory/mops-test", "memory.limit_in_bytes"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		group, limit = "/sys/fs/cgroup/mops-test", "memory.max"
	}
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skip("no cgroup can be made: ", err)
	}
	defer os.Remove(group)
	if err := os.WriteFile(filepath.Join(group, limit), []byte("67108864"), 0); err != nil {
		t.Skip("the cgroup has no memory controller: ", err)
	}
	_, printed := run(t, subprocess.New(), invocation("confined", fileVariable+"="+filepath.Join(group, "cgroup.procs")))
	if !strings.HasPrefix(printed, "-1 OOMKilled: ") || !strings.Contains(printed, filepath.Base(group)) {
		t.Errorf("%s; want OOMKilled, and the cgroup's file that tells", printed)
	}
}
