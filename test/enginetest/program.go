package enginetest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// The variables by which the test binary learns that it is a program under test.
const (
	ProgramVariable   = "ENGINETEST_PROGRAM"   // its name
	ArgumentsVariable = "ENGINETEST_ARGUMENTS" // path of a file with JSON
	PlaceVariable     = "ENGINETEST_PLACE"     // marks all processes of one test
)

// mostOutput is how much is kept of what a program prints, in bytes: the end of it.
const mostOutput = 16 << 20

// Program is the test binary, started again as a program under test.
type Program struct {
	Stdout, Stderr *syncbuf.Buffer

	t       testing.TB
	command *exec.Cmd
	done    chan struct{}
}

// Start starts a program in a place, which is the folder of a test. What it
// leaves behind is killed when the test ends.
func Start(t testing.TB, place, name string, arguments any, env ...string) *Program {
	t.Helper()
	return StartIn(t, "", place, name, arguments, env...)
}

// StartIn is Start with another current folder than that of the test.
func StartIn(t testing.TB, folder, place, name string, arguments any, env ...string) *Program {
	t.Helper()
	return start(t, executable(t), folder, nil, place, name, arguments, env)
}

func executable(t testing.TB) string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func start(t testing.TB, binary, folder string, attributes *syscall.SysProcAttr, place, name string, arguments any, env []string) *Program {
	t.Helper()
	text, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(place, "arguments-"+rand.Text()) // a variable may have 128 KiB
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	p := &Program{
		Stdout: &syncbuf.Buffer{Most: mostOutput}, Stderr: &syncbuf.Buffer{Most: mostOutput},
		t: t, command: exec.Command(binary), done: make(chan struct{}),
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "MOPS_") {
			p.command.Env = append(p.command.Env, variable)
		}
	}
	p.command.Env = append(p.command.Env,
		ProgramVariable+"="+name, ArgumentsVariable+"="+file, PlaceVariable+"="+place,
		"MOPS_CACHE="+place+"/cache", "MOPS_STATE="+place+"/state", "MOPS_PROGRESS=off")
	p.command.Env = append(p.command.Env, env...)
	p.command.Dir, p.command.SysProcAttr = folder, attributes
	var reading sync.WaitGroup
	var pipes []*os.File
	for _, stream := range []struct {
		end  *io.Writer
		kept *syncbuf.Buffer
	}{{&p.command.Stdout, p.Stdout}, {&p.command.Stderr, p.Stderr}} {
		ours, theirs, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close()
		*stream.end, pipes = theirs, append(pipes, ours)
		reading.Go(func() {
			defer ours.Close()
			take := func(chunk []byte) { stream.kept.Write(chunk) }
			if !inherit.ReadAll(ours, take) {
				inherit.ReadRest(ours, take)
			}
		})
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.command.Wait()
		// Orphans keep the pipes open, and must not keep us: what the program has said is
		// in them by now.
		for _, pipe := range pipes {
			pipe.SetReadDeadline(time.Unix(1, 0))
		}
		reading.Wait()
	}()
	t.Cleanup(func() {
		p.Kill()
		// Each may have started another before its end, which takes its time: then it
		// writes no more into folders that are about to be removed.
		Eventually(t, time.Minute, "all processes of the test are gone", func() bool {
			left := Processes(place)
			for _, pid := range left {
				Kill(pid)
			}
			return len(left) == 0
		})
	})
	return p
}

// Arguments reads in the program what Start was given in the test.
func Arguments(into any) error {
	text, err := os.ReadFile(os.Getenv(ArgumentsVariable))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// PID is the process number.
func (p *Program) PID() int { return p.command.Process.Pid }

// Signal sends a signal.
func (p *Program) Signal(signal os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		p.t.Error(err)
	}
}

// Kill kills the program alone and waits until it is gone.
func (p *Program) Kill() {
	p.command.Process.Kill()
	<-p.done
}

// Done is closed when the program has ended.
func (p *Program) Done() <-chan struct{} { return p.done }

// Wait returns the exit code, -1 for a signal. The test fails when the program
// takes longer.
func (p *Program) Wait(longest time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.command.ProcessState.ExitCode()
	case <-time.After(longest):
		p.command.Process.Signal(syscall.SIGQUIT) // so that it says where it hangs
		<-p.done
		p.t.Fatalf("the program still ran after %v; its standard error:\n%s", longest, p.Stderr)
		return 0
	}
}

// Eventually waits until a condition holds. It is for what other processes do;
// there, no event can be had.
func Eventually(t testing.TB, longest time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(longest); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", longest, what)
		}
	}
}
