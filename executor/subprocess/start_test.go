//go:build linux || darwin

package subprocess_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

func TestLimit(t *testing.T) {
	if got, want := subprocess.New().Limit(), runtime.NumCPU(); got != want {
		t.Errorf("the default limit is %d, want %d", got, want)
	}
	for n, want := range map[int]int{7: 7, 0: 0, -1: 0} {
		if got := subprocess.New(subprocess.Limit(n)).Limit(); got != want {
			t.Errorf("Limit(%d) is %d, want %d", n, got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("MOPS_TEST_A", "process")
	t.Setenv("MOPS_TEST_B", "process")
	t.Setenv("MOPS_TEST_C", "process")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e := subprocess.New(subprocess.Env("MOPS_TEST_B=executor", "MOPS_TEST_C=executor"), subprocess.Dir(dir))
	_, printed := run(t, e, invocation("environment", "MOPS_TEST_C=first", "MOPS_TEST_C=invocation"))
	lines := strings.Split(printed, "\n")
	for _, want := range []string{
		"MOPS_TEST_A=process", "MOPS_TEST_B=executor", "MOPS_TEST_C=invocation",
		"in " + dir, `stdin "" <nil>`, "leads its group true",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the worker does not say %q", want)
		}
	}
	for _, variable := range []string{"MOPS_TEST_A", "MOPS_TEST_B", "MOPS_TEST_C"} {
		if n := strings.Count(printed, variable); n != 1 {
			t.Errorf("%s is there %d times", variable, n)
		}
	}
}

func TestLaunchFailed(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		options []subprocess.Option
		env     []string
		cause   error
		advice  string
	}{
		"vanished":       {[]subprocess.Option{subprocess.Command(filepath.Join(dir, "none"))}, nil, syscall.ENOENT, "not there any more"},
		"no directory":   {[]subprocess.Option{subprocess.Dir(filepath.Join(dir, "none"))}, nil, syscall.ENOENT, "working directory"},
		"not executable": {[]subprocess.Option{subprocess.Command(plain)}, nil, syscall.EACCES, "permissions"},
		"environment":    {nil, []string{"MOPS_TEST_A=" + strings.Repeat("x", 4<<20)}, syscall.E2BIG, "environment"},
	} {
		t.Run(name, func(t *testing.T) {
			before := openFiles(t)
			_, err := subprocess.New(c.options...).Start(t.Context(), invocation("nothing", c.env...))
			f := failure(t, err, executor.LaunchFailed)
			if !errors.Is(err, c.cause) || !strings.Contains(f.Message, c.advice) {
				t.Errorf("%v; want %v and advice on %q", err, c.cause, c.advice)
			}
			if after := openFiles(t); after > before {
				t.Errorf("%d open files, %d before", after, before)
			}
		})
	}
}

// TestProgramDeleted: the very same program is started, though another may be in
// its place by now.
func TestProgramDeleted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can start a program that was deleted")
	}
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copied.test")
	if err := os.WriteFile(copied, program, 0o700); err != nil {
		t.Fatal(err)
	}
	exit, printed := run(t, subprocess.New(subprocess.Command(copied)), invocation("deleted"))
	if exit.Code != 0 || exit.Err != nil {
		t.Errorf("exit code %d, %v\n%s", exit.Code, exit.Err, printed)
	}
}

func TestCommand(t *testing.T) {
	e := subprocess.New(subprocess.Command("/bin/sh", "-c", "echo $0 $1; echo problem >&2; exit 5", "a", "b"))
	exit, printed := run(t, e, executor.Invocation{Function: "f@1"})
	if printed != "a b\nproblem\n" || exit.Code != 5 || exit.Err.Tail != printed {
		t.Errorf("exit %+v, printed %q", exit, printed)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
