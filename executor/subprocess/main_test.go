//go:build linux || darwin

package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
)

// The test binary is a worker in two ways: of the conformance suite, and of the
// roles below, which know that they are subprocesses.
const (
	roleVariable = "MOPS_TEST_SUBPROCESS"
	fileVariable = "MOPS_TEST_SUBPROCESS_FILE" // where a role leaves its findings
	gateVariable = "MOPS_TEST_SUBPROCESS_GATE" // the address of a gate
)

// patience is how long a process may take: machines may be busy.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		if os.Getenv(stayVariable) != "" {
			maker = stayMaker()
		}
		executortest.Main(m, maker)
	}
	os.Exit(role())
}

var roles map[string]func() int

func init() {
	roles = map[string]func() int{
		"nothing":      func() int { return 0 },
		"again":        func() int { return eachCall(func() int { return 0 }) },
		"says":         func() int { return eachCall(says) },
		"holds":        func() int { return eachCall(holder) },
		"environment":  environment,
		"descriptors":  descriptors,
		"inherits":     inherits,
		"orphan":       orphan,
		"dying orphan": dyingOrphan,
		"orchestrator": orchestrator,
		"deleted":      deleted,
		"daemon":       daemon,
		"holder":       holder,
		"confined":     confined,
		"eater":        eater,
		"reserver":     reserver,
	}
}

// eachCall runs one call after another.
func eachCall(call func() int) int {
	inherited, _ := inherit.Take()
	for {
		if code := call(); !inherited.Next(code) {
			return code
		}
	}
}

// says prints its process and some of its environment.
func says() int {
	fmt.Printf("%d A=%s B=%s\n", os.Getpid(), os.Getenv("MOPS_TEST_A"), os.Getenv("MOPS_TEST_B"))
	return executor.ExitFunc
}

func invocation(role string, env ...string) executor.Invocation {
	return executor.Invocation{Function: "test/" + role + "@1", Env: append(env, roleVariable+"="+role)}
}

// run runs a role to its end and returns its output.
func run(t *testing.T, e *subprocess.Executor, inv executor.Invocation) (executor.Exit, string) {
	t.Helper()
	var printed bytes.Buffer
	inv.Log = func(chunk []byte) { printed.Write(chunk) }
	exit := wait(t, start(t, e, inv))
	return exit, printed.String()
}

func start(t *testing.T, e *subprocess.Executor, inv executor.Invocation) executor.Worker {
	t.Helper()
	w, err := e.Start(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func wait(t *testing.T, w executor.Worker) executor.Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	exit, err := w.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func failure(t *testing.T, err error, reason executor.Reason) *executor.Error {
	t.Helper()
	failure, ok := errors.AsType[*executor.Error](err)
	if !ok || failure.Reason != reason {
		t.Fatalf("%v; want %s", err, reason)
	}
	return failure
}

// environment prints all variables.
func environment() int {
	for _, variable := range os.Environ() {
		fmt.Println(variable)
	}
	directory, _ := os.Getwd()
	fmt.Println("in " + directory)
	rest, err := io.ReadAll(os.Stdin)
	fmt.Printf("stdin %q %v\n", rest, err)
	group, _ := syscall.Getpgid(0)
	fmt.Println("leads its group", group == os.Getpid())
	return 0
}

// inherits has a child that lists its descriptors and its inheritance.
func inherits() int {
	inherited, ok := inherit.Take()
	fmt.Println("inherited", ok)
	if ok {
		defer inherited.Close()
	}
	_, again := inherit.Take()
	fmt.Println("inherited again", again)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=descriptors")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Run(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// descriptors prints which of the first descriptors are pipes.
func descriptors() int {
	var pipes []string
	for fd := range 20 {
		var info syscall.Stat_t
		if syscall.Fstat(fd, &info) == nil && info.Mode&syscall.S_IFMT == syscall.S_IFIFO {
			pipes = append(pipes, fmt.Sprint(fd))
		}
	}
	fmt.Println("pipes", strings.Join(pipes, " "))
	return 0
}

// orphan reports at the gate, waits to be orphaned, prints more than a pipe
// holds, and leaves in a file what it drained.
func orphan() int {
	inherited, ok := inherit.Take()
	if !ok {
		return 1
	}
	fmt.Println("said before")
	var drained bytes.Buffer
	end := inherited.Drain(func(chunk []byte) { drained.Write(chunk) })
	if err := visit(); err != nil {
		fmt.Println(err)
		return 1
	}
	<-inherited.Orphaned()
	for i := range 20_000 {
		fmt.Fprintf([]io.Writer{os.Stdout, os.Stderr}[i%2], "orphan's line %d\n", i)
	}
	end()
	inherited.Close()
	fmt.Println("nobody hears this, and it kills nobody")
	if err := os.WriteFile(os.Getenv(fileVariable), drained.Bytes(), 0o600); err != nil {
		return 1
	}
	return 0
}

// dyingOrphan crashes as an orphan and says more than a pipe usually holds.
func dyingOrphan() int {
	inherited, ok := inherit.Take()
	if !ok {
		return 1
	}
	inherited.Drain(func([]byte) {})
	for range 2000 {
		go func() { select {} }()
	}
	if err := visit(); err != nil {
		return 1
	}
	<-inherited.Orphaned()
	go panic("too bad")
	select {}
}

// orchestrator starts another role, tells its handle, and waits to be killed.
func orchestrator() int {
	role := os.Getenv("MOPS_TEST_SUBPROCESS_ORPHAN")
	w, err := subprocess.New().Start(context.Background(), invocation(role))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(w.Handle())
	w.Wait(context.Background())
	select {}
}

// deleted starts a worker after its own program was deleted.
func deleted() int {
	e := subprocess.New()
	if err := os.Remove(os.Args[0]); err != nil {
		fmt.Println(err)
		return 1
	}
	w, err := e.Start(context.Background(), invocation("environment"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	exit, err := w.Wait(context.Background())
	if err != nil || exit.Err != nil {
		fmt.Println(exit, err)
		return 1
	}
	return exit.Code
}

// lastWords are more than a chunk, and fit into a pipe.
const lastWords = 2000

// daemon leaves a child out of reach, which has the output open.
func daemon() int {
	for range lastWords {
		fmt.Println("the worker's last words")
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), roleVariable+"=holder")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func holder() int {
	visit()
	return 0
}

// confined moves into a cgroup and starts there what needs more memory.
func confined() int {
	procs := os.Getenv(fileVariable)
	if err := os.WriteFile(procs, fmt.Append(nil, os.Getpid()), 0); err != nil {
		fmt.Println(err)
		return 1
	}
	w, err := subprocess.New().Start(context.Background(), invocation("eater"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	exit, err := w.Wait(context.Background())
	fmt.Println(exit.Code, exit.Err, err)
	return 0
}

// eater needs more memory than it gets.
func eater() int { return eat(1<<20, true) }

// reserver needs more address space than it gets, and uses none of it.
func reserver() int { return eat(1<<30, false) }

func eat(size int, use bool) int {
	var all [][]byte
	for range 1 << 10 {
		block := make([]byte, size)
		for i := 0; use && i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
	}
	fmt.Println(len(all), "blocks were no problem")
	return 0
}

// gate is where workers report and are held: as long as their connection is open.
type gate struct{ net.Listener }

func newGate(t *testing.T) gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return gate{l}
}

func (g gate) env() string { return gateVariable + "=" + g.Addr().String() }

func (g gate) accept(t *testing.T) net.Conn {
	t.Helper()
	g.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := g.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// visit reports at the gate and returns when it is let go.
func visit() error {
	conn, err := net.Dial("tcp", os.Getenv(gateVariable))
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.Copy(io.Discard, conn)
	return err
}
