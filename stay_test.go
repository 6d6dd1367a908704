//go:build linux

package mops_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// staying is inSubprocesses, with workers that take one call after another.
func staying(t testing.TB, options ...mops.EnvOption) (ctx context.Context, root string) {
	t.Helper()
	silence(t)
	return onDisk(t, append([]mops.EnvOption{mops.On(subprocess.New(subprocess.Stay()))}, options...)...)
}

func TestAProcessThatStaysRunsOneCallAfterAnother(t *testing.T) {
	ctx, _ := staying(t)
	pids, most := map[int]bool{}, 1
	for i, returned := 0, time.Now(); i < 10; i++ {
		v, err := inner.Call(ctx, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		pids[v.PID] = true
		if time.Since(returned) > waitsFor {
			most++
		}
		returned = time.Now()
	}
	if len(pids) > most {
		t.Errorf("10 calls ran in %d processes", len(pids))
	}
}

// waitsFor is how long a process that stays waits for another call, at the least: it
// may have ended if this test was held up for longer.
const waitsFor = 4 * time.Second

func TestWhatAFunctionDoesToAProcessThatStaysIsReported(t *testing.T) {
	ctx, _ := staying(t)
	whatAFunctionDoes(t, ctx)
}

// surroundings are what a function finds around it.
type surroundings struct {
	PID, Umask int
	Group      int
	Directory  string
	Variable   string
}

const leftVariable = "MOPS_TEST_LEFT"

func around() surroundings {
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	return surroundings{os.Getpid(), umask, syscall.Getpgrp(), must(os.Getwd()), os.Getenv(leftVariable)}
}

var hoard [][]byte

// litter leaves something behind, and says in which surroundings it began.
var litter = mops.Define("test/litter", func(_ context.Context, what string) (surroundings, error) {
	found := around()
	what, _, _ = strings.Cut(what, " ")
	switch what {
	case "directory":
		return found, os.Chdir("/")
	case "variable":
		return found, os.Setenv(leftVariable, "left")
	case "umask":
		syscall.Umask(0o077)
	case "group":
		leader := exec.Command("/bin/sleep", "10")
		leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := leader.Start(); err != nil {
			return found, err
		}
		err := syscall.Setpgid(0, leader.Process.Pid)
		leader.Process.Kill()
		leader.Wait()
		return found, err
	case "child":
		return found, exec.Command("/bin/sleep", "10").Start()
	case "goroutines":
		for range 200 {
			go func() { select {} }()
		}
	case "memory":
		block := make([]byte, 300<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		hoard = append(hoard, block)
	case "panic":
		go func() {
			time.Sleep(20 * time.Millisecond)
			panic("after the end of its call")
		}()
	case "print":
		fmt.Print("without an end of the line")
	case "wait":
		time.Sleep(50 * time.Millisecond) // a panic of another call comes meanwhile
	}
	return found, nil
})

func TestWhatAFunctionLeavesIsNotFoundByTheNext(t *testing.T) {
	ctx, _ := staying(t)
	clean, err := litter.Call(ctx, "nothing")
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"directory", "variable", "umask", "group", "child", "goroutines", "memory"} {
		before, err := litter.Call(ctx, what)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		after, err := litter.Call(ctx, "nothing after "+what)
		if err != nil {
			t.Fatalf("after %s: %v", what, err)
		}
		if after.PID == before.PID {
			t.Errorf("%s: the process took another call", what)
		}
		if after.Group != after.PID {
			t.Errorf("%s: the next process is in group %d", what, after.Group)
		}
		after.PID, after.Group = clean.PID, clean.Group
		if after != clean {
			t.Errorf("after %s: %+v, want %+v", what, after, clean)
		}
	}
	for i, heldUp := 0, true; heldUp; i++ {
		began := time.Now()
		one, err := litter.Call(ctx, fmt.Sprint("print ", i))
		if err != nil {
			t.Fatal(err)
		}
		two, err := litter.Call(ctx, fmt.Sprint("nothing after print ", i))
		heldUp = time.Since(began) > waitsFor
		if err != nil || two.PID != one.PID && !heldUp {
			t.Errorf("after a line without an end: %+v, %v", two, err)
		}
	}
}

// A goroutine that outlives its call and panics fails no other call, though no
// retry is allowed.
func TestAPanicAfterItsCallHitsNobodyElse(t *testing.T) {
	ctx, _ := staying(t, mops.Retries(0))
	for i := range 3 {
		if _, err := litter.Call(ctx, fmt.Sprint("panic ", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := litter.Call(ctx, fmt.Sprint("wait ", i)); err != nil {
			t.Error(err)
		}
	}
}
