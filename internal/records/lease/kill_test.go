package lease_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/blob"
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/internal/records/lease"
)

const holderRoot = "LEASE_TEST_HOLDER_ROOT"

// TestMain makes the test binary the process that holds a lease until it is killed.
func TestMain(m *testing.M) {
	root := os.Getenv(holderRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	store, err := blob.Open(context.Background(), root)
	if err != nil {
		panic(err)
	}
	session := lease.NewSession(store, lease.Config{TTL: time.Hour}) // so that nobody finds it dead by watching alone
	ctx, _, err := session.Take(context.Background(), key, "", lease.State{})
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("held\n")
	<-ctx.Done()
}

// A real process is really killed, on a real file system.
func TestTakeoverFromAKilledProcess(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("processes of this host cannot be told apart on", runtime.GOOS)
	}
	root := "file://" + t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderRoot+"="+root)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}

	store, err := blob.Open(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	p := &proc{store: store, session: lease.NewSession(store, lease.Config{}), judge: lease.NewJudge(store, lease.JudgeConfig{})}
	defer p.session.Close(context.Background())
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, _, err := contend(short, p); err == nil {
		t.Fatal("taken from a holder that lives")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, _, err := contend(soon, p); err != nil {
		t.Errorf("not taken over soon: %v", err)
	}
}
