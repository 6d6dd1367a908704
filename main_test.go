package mops_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/memblob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// programVariable makes the test binary a program under test.
const programVariable = "TEST_PROGRAM"

// programs are the programs under test, by name. They never return.
var programs = map[string]func(){}

func TestMain(m *testing.M) {
	blobtest.RegisterServed()
	if name := os.Getenv(programVariable); name != "" {
		programs[name]() // its workers, too: they get the same environment
		panic("the program returned")
	}
	mops.Init()
	os.Exit(runTests(m))
}

// runTests keeps the machine's settings out of the tests, and the tests' files
// off the machine.
func runTests(m *testing.M) int {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "MOPS_") && name != "MOPS_SOAK" {
			os.Unsetenv(name)
		}
	}
	home, err := os.MkdirTemp("", "mops-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(home)
	if os.Getenv("GORACE") == "" { // by default a program with the race detector takes a second to end
		os.Setenv("GORACE", "atexit_sleep_ms=10")
	}
	if err := os.Chmod(home, 0o755); err != nil { // some programs under test run as somebody else
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("TMPDIR", home) // functions without a store leave files behind
	os.Setenv("MOPS_CACHE", filepath.Join(home, "cache"))
	os.Setenv("MOPS_READ_CACHE", "off") // stores in memory are new each time a test runs
	os.Setenv("MOPS_EDITED", "off")     // else mops-lock looks at these sources beside each test, and is announced where that takes long
	return m.Run()
}

// program prepares the test binary to run as a program under test, in a folder
// of its own.
func program(t *testing.T, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	if _, ok := programs[name]; !ok {
		t.Fatalf("there is no program %s", name)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, arguments...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), programVariable+"="+name, "MOPS_ROOT=file://"+t.TempDir())
	return cmd
}

// newEnv makes an environment that ends with the test, and a context of it.
func newEnv(t testing.TB, options ...mops.EnvOption) (*mops.Env, context.Context) {
	t.Helper()
	env, err := mops.New(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return env, env.Context(t.Context())
}

// memoryRoot is a root that is forgotten with the test.
func memoryRoot(t testing.TB) mops.Option {
	t.Helper()
	root := "mem://" + t.Name()
	memblob.Forget(root)
	t.Cleanup(func() { memblob.Forget(root) })
	return mops.Root(root)
}

// onDisk is a context whose root is a new folder.
func onDisk(t testing.TB, options ...mops.EnvOption) (ctx context.Context, root string) {
	t.Helper()
	root = "file://" + t.TempDir()
	_, ctx = newEnv(t, append([]mops.EnvOption{mops.Root(root), mops.CacheDir(t.TempDir())}, options...)...)
	return ctx, root
}

// inSubprocesses is onDisk, with workers that are subprocesses, whose lines are
// not shown.
func inSubprocesses(t testing.TB, options ...mops.EnvOption) (ctx context.Context, root string) {
	t.Helper()
	silence(t)
	return onDisk(t, append([]mops.EnvOption{mops.On(subprocess.New())}, options...)...)
}

// private is a registry for the functions of one test.
func private() mops.RegistryOption { return mops.In(mops.NewRegistry()) }

// tally is an executor in this process that counts its workers.
type tally struct {
	*inproc.Executor
	started atomic.Int64
}

func newTally() *tally { return &tally{Executor: inproc.New(inproc.Limit(0))} }

func (e *tally) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	e.started.Add(1)
	return e.Executor.Start(ctx, inv)
}

// must returns v; err cannot happen here.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// mentions fails the test unless the error's message has all of the texts.
func mentions(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the message does not say %q: %v", text, err)
		}
	}
}

// textLogger logs warnings and errors as text.
func textLogger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// panics returns the text of do's panic.
func panics(t *testing.T, do func()) (message string) {
	t.Helper()
	defer func() {
		v := recover()
		if v == nil {
			t.Fatal("there is no panic")
		}
		message = fmt.Sprint(v)
	}()
	do()
	return ""
}

// first is the first of two results.
func first[A, B any](a A, _ B) A { return a }

// silence keeps the output of this test's environments off the terminal.
func silence(t testing.TB) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = null
	t.Cleanup(func() { os.Stderr = stderr; null.Close() })
}
