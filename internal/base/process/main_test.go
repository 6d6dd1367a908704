//go:build linux || darwin

package process_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// The test binary is its own helper process: it tells that it runs, then lives
// until its standard input ends.
func TestMain(m *testing.M) {
	switch os.Getenv("MOPS_TEST_PROCESS") {
	case "":
		// The race detector lets each helper sleep for a second before it ends.
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
		os.Exit(m.Run())
	case "parent":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "MOPS_TEST_PROCESS=child")
		child.Stdin, child.Stdout = os.Stdin, os.Stdout
		if err := child.Start(); err != nil {
			panic(err)
		}
	default:
		fmt.Println("I run")
		io.Copy(io.Discard, os.Stdin)
	}
}

// start starts a helper in its own process group and returns it running, with
// what ends it.
func start(t *testing.T, kind string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MOPS_TEST_PROCESS="+kind)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("the helper says %q, %v", line, err)
	}
	return cmd, stdin
}
