package executortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/internal/base/inherit"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// The environment of workers that are test binaries.
const (
	variable       = "MOPS_EXECUTORTEST"
	gateVariable   = "MOPS_EXECUTORTEST_GATE"
	numberVariable = "MOPS_EXECUTORTEST_NUMBER"
	callVariable   = "MOPS_EXECUTORTEST_CALL"
)

// script tells a worker what to do.
type script struct {
	behaviour string
	gate      string // the address at which it reports and waits
	number    int    // exit code, lines, bytes, …
	call      string // identifies the call: no two workers have the same
}

func (s script) env() []string {
	return []string{
		variable + "=" + s.behaviour, gateVariable + "=" + s.gate, numberVariable + "=" + strconv.Itoa(s.number), callVariable + "=" + s.call,
	}
}

// behaviours by name; each returns the worker's exit code.
var behaviours map[string]func(context.Context, script) int

func init() {
	behaviours = map[string]func(context.Context, script) int{
		"exit":     exit,
		"hold":     hold,
		"chatty":   chatty,
		"deaf":     deaf,
		"stubborn": stubborn,
		"leave":    leave,
		"print":    printLines,
		"flood":    flood,
		"panic":    panicElsewhere,
		"signal":   signalSelf,
	}
}

// Main is for TestMain. It runs the tests, or makes this process a worker or
// another helper of the suite. It does not return.
func Main(m *testing.M, maker Maker) {
	switch s := scriptOf(os.Getenv); s.behaviour {
	case "":
		// The race detector lets each worker sleep for a second before it ends.
		os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
		os.Exit(m.Run())
	case "orchestrate":
		orchestrate(maker, s)
	}
	Work()
}

// Work makes this process a worker of the suite, as its environment says. It is
// for programs that are workers in place of the test binary. It does not
// return.
func Work() {
	inherited, ok := inherit.Take()
	if ok {
		inherited.Drain(func([]byte) {}) // nobody has to read what it prints
	}
	for {
		s := scriptOf(os.Getenv)
		behave, ok := behaviours[s.behaviour]
		if !ok {
			fmt.Fprintf(os.Stderr, "executortest: no behaviour %q\n", s.behaviour)
			os.Exit(1)
		}
		if code := behave(context.Background(), s); !inherited.Next(code) {
			os.Exit(code)
		}
	}
}

func scriptOf(getenv func(string) string) script {
	s := script{behaviour: getenv(variable), gate: getenv(gateVariable), call: getenv(callVariable)}
	s.number, _ = strconv.Atoi(getenv(numberVariable))
	return s
}

func exit(_ context.Context, s script) int { return s.number }

// atGate reports at the gate, and does something there.
func atGate(s script, do func(gate net.Conn)) int {
	conn, err := net.Dial("tcp", s.gate)
	if err != nil {
		fmt.Fprintln(os.Stderr, "executortest:", err)
		return 1
	}
	defer conn.Close()
	fmt.Fprintln(conn, s.behaviour)
	do(conn)
	return s.number
}

// hold reports at the gate and returns when the gate closes or the context
// ends.
func hold(ctx context.Context, s script) int {
	return atGate(s, func(gate net.Conn) {
		defer context.AfterFunc(ctx, func() { gate.Close() })()
		io.Copy(io.Discard, gate)
	})
}

// chatty holds, and prints all the while: for each byte at the gate, it has printed
// some lines.
func chatty(ctx context.Context, s script) int {
	return atGate(s, func(gate net.Conn) {
		var err error
		for err == nil && sleep.For(ctx, time.Millisecond) {
			for i := range 50 {
				fmt.Print(line(i))
			}
			_, err = gate.Write([]byte{'.'})
		}
	})
}

// deaf is hold without heeding the context.
func deaf(_ context.Context, s script) int { return hold(context.Background(), s) }

// stubborn holds with a child, and both ignore requests to end.
func stubborn(ctx context.Context, s script) int {
	ignoreTermination()
	if s.number > 0 {
		child := script{"stubborn", s.gate, s.number - 1, s.call}
		if _, err := startChild(child); err != nil {
			fmt.Fprintln(os.Stderr, "executortest:", err)
			return 1
		}
	}
	return hold(ctx, s)
}

// leave ends while a child of it still holds and has its output open.
func leave(_ context.Context, s script) int {
	fmt.Println("leaving")
	if _, err := startChild(script{"hold", s.gate, 0, s.call}); err != nil {
		fmt.Fprintln(os.Stderr, "executortest:", err)
		return 1
	}
	// Our own visit tells the test that the child exists.
	return hold(context.Background(), s)
}

func startChild(s script) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), s.env()...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd, cmd.Start()
}

// printLines prints lines on both streams in turn.
func printLines(_ context.Context, s script) int {
	for i := range s.number {
		stream := os.Stdout
		if i%2 == 1 {
			stream = os.Stderr
		}
		fmt.Fprint(stream, line(i))
	}
	return 0
}

func line(i int) string { return fmt.Sprintf("line %d\n", i) }

// flood prints many bytes.
func flood(_ context.Context, s script) int {
	block := floodBlock()
	for left := s.number; left > 0; left -= len(block) {
		os.Stderr.Write(block[:min(left, len(block))])
	}
	return 0
}

func floodBlock() []byte { return bytes.Repeat([]byte("0123456789abcde\n"), 4096) }

// panicElsewhere dies by a panic that no worker can recover.
func panicElsewhere(context.Context, script) int {
	fmt.Println("all is well")
	go panic("these are my last words")
	select {}
}

// orchestrate starts a worker, says which, and never ends by itself.
func orchestrate(maker Maker, s script) {
	behaviour, gate, _ := strings.Cut(s.gate, "@")
	w, err := maker.New().Start(context.Background(), invocation(script{behaviour, gate, s.number, s.call}))
	if err != nil {
		fmt.Fprintln(os.Stderr, "executortest:", err)
		os.Exit(1)
	}
	fmt.Println(w.Handle())
	w.Wait(context.Background())
	select {}
}

func invocation(s script) executor.Invocation {
	return executor.Invocation{
		Function: "executortest/" + s.behaviour + "@1",
		MemoURI:  "mem://executortest/mops1/test/" + s.behaviour,
		ID:       executor.ID{LeaseID: "lease-" + s.call, RunID: "2611231412-SkirtBus", Attempt: 1},
		Env:      s.env(),
		Work:     func(ctx context.Context) int { return behaviours[s.behaviour](ctx, s) },
	}
}
