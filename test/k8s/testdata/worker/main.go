// Command worker is what pods run in tests. Like a worker of mops it is two
// processes: one that is process 1 of the container, which passes signals on and
// tells the end of the other, which does what the environment says.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
)

const inside = "MOPS_TEST_WORKER_INSIDE"

func main() {
	if os.Getenv(inside) == "" {
		os.Exit(supervise())
	}
	switch does := os.Getenv("MOPS_TEST_WORKER"); does {
	case "":
		executortest.Work()
	case "environment":
		for _, variable := range os.Environ() {
			fmt.Println(variable)
		}
	case "eat": // more memory than there is, or a few MiB if that is enough
		eat()
	case "index": // among the workers of a pack; and lines
		fmt.Println("index", os.Getenv(executor.IndexVariable))
		lines()
	case "lines": // numbered, each some time after the one before
		lines()
	default:
		fmt.Println("the worker does not know", does)
		os.Exit(1)
	}
}

func supervise() int {
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), inside+"=1")
	child.Stdout, child.Stderr = os.Stdout, os.Stdout // in the order of writing
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if err := child.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	go func() {
		for s := range signals {
			child.Process.Signal(s)
		}
	}()
	err := child.Wait()
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0
	}
	if status := failed.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return failed.ExitCode()
}

// eat takes as much memory as MOPS_TEST_WORKER_BYTES says.
func eat() {
	size, _ := strconv.Atoi(os.Getenv("MOPS_TEST_WORKER_BYTES"))
	block := make([]byte, size)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	fmt.Println(len(block), "bytes were no problem")
}

// lines prints "<number> <pause>" for MOPS_TEST_WORKER_LINES, such as "100 20ms", and
// stays for MOPS_TEST_WORKER_STAYS.
func lines() {
	number, pause, _ := strings.Cut(os.Getenv("MOPS_TEST_WORKER_LINES"), " ")
	n, _ := strconv.Atoi(number)
	each, _ := time.ParseDuration(pause)
	ticker := time.NewTicker(max(each, 1))
	for i := range n {
		stream := []*os.File{os.Stdout, os.Stderr}[i%2]
		fmt.Fprintln(stream, "line", i)
		<-ticker.C
	}
	stays, _ := time.ParseDuration(os.Getenv("MOPS_TEST_WORKER_STAYS"))
	time.Sleep(stays)
	code, _ := strconv.Atoi(os.Getenv("MOPS_TEST_WORKER_CODE"))
	os.Exit(code)
}
