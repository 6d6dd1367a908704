//go:build linux

package machines_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/test/machines"
)

// Stay is a visit to a gate.
type Stay struct {
	Gate  string // address
	Lines int    // to print before and after
}

// stay says who ran it.
var stay = mops.Define("machines/stay", func(ctx context.Context, in Stay) (int, error) {
	conn, err := net.Dial("tcp", in.Gate)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	for i := range in.Lines {
		fmt.Println("before", i)
	}
	fmt.Fprintln(conn, os.Getpid())
	io.Copy(io.Discard, conn)
	for i := range in.Lines {
		fmt.Println("after", i)
	}
	return os.Getpid(), nil
})

// visited is a call whose worker is at the gate.
type visited struct {
	call *mops.Call[int]
	pid  int
	door net.Conn
	ctx  context.Context
}

// environment has a root of its own.
func environment(t *testing.T) *mops.Env {
	t.Helper()
	env, err := mops.New(t.Context(), mops.Root("file://"+t.TempDir()), mops.Isolated(), mops.CacheDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	return env
}

// patience is how long a worker may take to be there, or to be gone: machines may be busy.
const patience = 3 * time.Minute

// visit starts a call there and waits until its worker is at the gate.
func visit(t *testing.T, on executor.Executor, options ...mops.Option) visited {
	t.Helper()
	gate, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gate.Close() })
	var v visited
	v.ctx = environment(t).Context(t.Context())
	v.call, err = stay.With(append(options, mops.On(on))...).Start(v.ctx, Stay{Gate: gate.Addr().String(), Lines: 1000})
	if err != nil {
		t.Fatal(err)
	}
	gate.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	if v.door, err = gate.Accept(); err != nil {
		_, err := v.call.Wait(v.ctx)
		t.Fatalf("nobody came: %v", err)
	}
	if _, err := fmt.Fscanln(v.door, &v.pid); err != nil {
		t.Fatal(err)
	}
	return v
}

// kill kills a child of that name.
func kill(t *testing.T, parent int, name string) {
	t.Helper()
	signalChild(t, parent, name, syscall.SIGKILL)
}

func signalChild(t *testing.T, parent int, name string, signal syscall.Signal) (pid int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		number, rest, _ := strings.Cut(string(text), " (")
		comm, rest, _ := strings.Cut(rest, ") ")
		var state string
		var ppid int
		fmt.Sscan(rest, &state, &ppid)
		if pid, _ := strconv.Atoi(number); comm == name && ppid == parent && state != "Z" {
			if err := syscall.Kill(pid, signal); err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no %s is a child of %d", name, parent)
	return 0
}

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var state string
	var ppid int
	fmt.Sscan(rest, &state, &ppid)
	return ppid
}

// want checks that the call ends with what its first worker computed.
func (v visited) want(t *testing.T) {
	t.Helper()
	v.door.Close()
	got, err := v.call.Wait(v.ctx)
	if err != nil || got != v.pid || v.call.Info().Outcome != mops.Computed {
		t.Errorf("got %d, %v, %+v; the worker was %d", got, err, v.call.Info(), v.pid)
	}
}

// A worker outlives its connection, which is made anew.
func TestConnectionThatBreaks(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts sshd")
	}
	on := remote.New(remote.SSH("far", "-F", machines.StartSSH(t).Config))
	t.Run("here", func(t *testing.T) {
		v := visit(t, on)
		kill(t, os.Getpid(), "ssh")
		v.want(t)
	})
	t.Run("there", func(t *testing.T) {
		v := visit(t, on)
		agent := parentOf(t, parentOf(t, v.pid))
		kill(t, parentOf(t, parentOf(t, agent)), "sshd")
		v.want(t)
	})
	t.Run("agent", func(t *testing.T) { // nobody finds the worker then; the store has its result
		v := visit(t, on)
		if err := syscall.Kill(parentOf(t, parentOf(t, v.pid)), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		v.want(t)
	})
	t.Run("supervisor", func(t *testing.T) { // the worker's parent, which keeps its log
		v := visit(t, on)
		defer v.door.Close()
		if err := syscall.Kill(parentOf(t, v.pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_, err := v.call.Wait(v.ctx)
		if failed, ok := errors.AsType[*mops.ExecError](err); !ok || failed.Reason != executor.Signalled {
			t.Errorf("%v", err)
		}
		v.door.SetReadDeadline(time.Now().Add(patience))
		if _, err := v.door.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the worker runs on: %v", err)
		}
	})
}

const gateVariable = "MACHINES_GATE"

// prints prints lines, waits at a gate until that closes, and prints more.
func prints(gate string) int {
	conn, err := net.Dial("tcp", gate)
	if err != nil {
		return 1
	}
	fmt.Print(lines(0))
	fmt.Fprintln(conn, os.Getpid())
	io.Copy(io.Discard, conn)
	fmt.Print(lines(1))
	return executor.ExitFunc
}

func lines(part int) string {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "line %d of part %d\n", i, part)
	}
	return text.String()
}

// Nothing of the output is lost with a connection, and nothing comes twice. It may
// be that nobody notices: that a connection is silent says it in the end.
func TestOutputAcrossConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts sshd")
	}
	signals := map[string]syscall.Signal{"killed": syscall.SIGKILL}
	if os.Getenv("MOPS_SOAK") != "" {
		signals["silent"] = syscall.SIGSTOP // for a minute
	}
	e := remote.New(remote.SSH("far", "-F", machines.StartSSH(t).Config))
	for name, signal := range signals {
		t.Run(name, func(t *testing.T) {
			gate, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Close()
			var printed strings.Builder
			w, err := e.Start(t.Context(), executor.Invocation{
				Function: "machines/prints@0", MemoURI: "s3://bucket/" + t.Name(), ID: executor.ID{LeaseID: t.TempDir()},
				Env: []string{gateVariable + "=" + gate.Addr().String()}, Log: func(chunk []byte) { printed.Write(chunk) },
			})
			if err != nil {
				t.Fatal(err)
			}
			door, err := gate.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := door.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			signalChild(t, os.Getpid(), "ssh", signal)
			door.Close()
			exit, err := w.Wait(t.Context())
			if err != nil || exit.Code != executor.ExitFunc || exit.Err != nil {
				t.Errorf("%+v, %v", exit, err)
			}
			if want := lines(0) + lines(1); printed.String() != want {
				t.Errorf("%d bytes came of %d", printed.Len(), len(want))
			}
		})
	}
}

// whose says as which user it runs.
var whose = mops.Define("machines/whose", func(context.Context, int) (int, error) { return os.Getuid(), nil })

// Another user of this machine is one more place.
func TestSudo(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: may install sudo")
	}
	if os.Getuid() != 0 {
		t.Skip("only root may be anybody")
	}
	machines.Need(t, "sudo", "sudo")
	root, cache := t.TempDir(), t.TempDir()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	group, err := strconv.Atoi(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmp.Or(os.Chown(root, 0, group), os.Chmod(root, os.ModeSetgid|0o775), os.Chmod(cache, 0o777), os.Chmod(filepath.Dir(root), 0o755)); err != nil {
		t.Fatal(err)
	}
	env, err := mops.New(t.Context(), mops.Root("file://"+root), mops.Isolated(), mops.CacheDir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	on := remote.New(remote.Through("sudo", "-n", "-u", "nobody", "env", "MOPS_CACHE="+cache))
	uid, err := whose.With(mops.On(on)).Call(env.Context(t.Context()), 1)
	if err != nil || strconv.Itoa(uid) != nobody.Uid {
		t.Errorf("it ran as %d, %v", uid, err)
	}
}
