package slots_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/engine/slots"
)

// The test binary is a server too, one that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("MOPS_TEST_SLOTS") == "" {
		os.Exit(m.Run())
	}
	server, err := slots.Serve(new(slots.Pools))
	if err != nil {
		panic(err)
	}
	fmt.Println(server.Path())
	select {}
}

// serve starts a server in another process and returns what kills it.
func serve(t *testing.T) (path string, kill func()) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MOPS_TEST_SLOTS=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(kill)
	path, err = bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(path), kill
}

// tree is a server in this process, with what its orchestrator sees.
func tree(t *testing.T) (*slots.Pools, *slots.Server) {
	t.Helper()
	pools := new(slots.Pools)
	server, err := slots.Serve(pools)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := os.Stat(server.Path()); err == nil {
			t.Errorf("%s is left over", server.Path())
		}
	})
	return pools, server
}

// dial connects to the pool p, which has n slots.
func dial(t *testing.T, path string, n int) *slots.Client {
	t.Helper()
	client, err := slots.Dial(path, "p", n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return client
}
