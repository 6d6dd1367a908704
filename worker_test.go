//go:build unix

package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/records/record"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// Functions that run in subprocesses are known by name on both sides, so they
// stand outside of the tests.

// misbehave does something that a function must not do.
var misbehave = mops.Define("test/misbehave", func(ctx context.Context, how string) (string, error) {
	fmt.Println("about to", how)
	switch how {
	case "exit 0":
		os.Exit(0)
	case "exit 3":
		os.Exit(3)
	case "exit 46":
		os.Exit(46)
	case "exit 47":
		os.Exit(47)
	case "goexit":
		runtime.Goexit()
	case "panic":
		panic(errors.New("a value"))
	case "panic elsewhere":
		go panic("in a goroutine of its own")
		select {}
	case "overflow":
		debug.SetMaxStack(1 << 20) // to be quick
		return how + overflow(0), nil
	case "kill":
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return "", err
		}
		select {}
	case "SIGHUP", "SIGINT", "SIGTERM": // from outside, as it were
		if err := syscall.Kill(os.Getpid(), unix.SignalNum(how)); err != nil {
			return "", err
		}
		<-ctx.Done()
		return "", ctx.Err()
	}
	return how, nil
})

//lint:ignore SA5007 its stack is to overflow
func overflow(depth int) string { return overflow(depth+1) + " " }

func TestWhatAFunctionDoesToItsProcessIsReported(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	whatAFunctionDoes(t, ctx)
}

// whatAFunctionDoes lets functions harm their processes. Before each there is one
// that does not.
func whatAFunctionDoes(t *testing.T, ctx context.Context) {
	for how, want := range map[string]struct {
		reason mops.Reason
		says   []string
	}{
		"exit 0":          {"NoResult", []string{"os.Exit", "code 0"}},
		"exit 3":          {"WorkerFailed", []string{"exit code 3", "about to exit 3"}},
		"exit 46":         {"NoResult", []string{"os.Exit", "code 46"}},
		"exit 47":         {"LeaseLost", []string{"3 times"}}, // as a worker that lost its lease
		"panic elsewhere": {"WorkerFailed", []string{"crashed", "in a goroutine of its own", "worker_test.go:"}},
		"overflow":        {"WorkerFailed", []string{"crashed", "stack"}},
		"kill":            {"Signalled", []string{"SIGKILL", "about to kill"}},
		"SIGHUP":          {"Signalled", []string{"SIGHUP", "not by mops"}},
		"SIGINT":          {"Signalled", []string{"SIGINT", "not by mops"}},
		"SIGTERM":         {"Signalled", []string{"ended by SIGTERM", "not by mops"}},
	} {
		t.Run(how, func(t *testing.T) {
			if s := unix.SignalNum(how); s != 0 && signal.Ignored(s) {
				t.Skipf("whoever started this test has it ignore %s, as nohup does, and so do its workers", how)
			}
			if before := "before " + how; must(misbehave.Call(ctx, before)) != before {
				t.Error("a function that does no harm returned something else")
			}
			_, info, err := misbehave.Do(ctx, how)
			e, ok := errors.AsType[*mops.ExecError](err)
			if !ok {
				t.Fatalf("%T: %v", err, err)
			}
			if e.Reason != want.reason || e.Function != "test/misbehave" || e.URI != info.URI || info.URI == "" {
				t.Errorf("%+v", e)
			}
			mentions(t, err, append(want.says, "test/misbehave", info.URI)...)
		})
	}
	// Nobody is hurt by it: the next call works.
	if out, err := misbehave.Call(ctx, "behave"); err != nil || out != "behave" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestAPanicIsTheFunctionsErrorWithItsStack(t *testing.T) {
	for name, ctx := range map[string]context.Context{"in process": mopstest.Context(t), "subprocess": first(inSubprocesses(t)), "off": mopstest.Context(t, mops.Off())} {
		_, info, err := misbehave.Do(ctx, "panic")
		e, ok := errors.AsType[*mops.FuncError](err)
		if !ok {
			t.Fatalf("%s: %T: %v", name, err, err)
		}
		if !e.Panicked || !strings.Contains(e.Stack, "worker_test.go:") || e.Function != "test/misbehave" || e.URI != info.URI || e.Run == "" {
			t.Errorf("%s: %+v", name, e)
		}
		mentions(t, err, "panic: a value", info.URI)
	}
}

func TestAGoexitIsTheFunctionsError(t *testing.T) {
	for name, ctx := range map[string]context.Context{"in process": mopstest.Context(t), "subprocess": first(inSubprocesses(t))} {
		_, err := misbehave.Call(ctx, "goexit")
		if e, ok := errors.AsType[*mops.FuncError](err); !ok || !e.Panicked {
			t.Errorf("%s: %T: %v", name, err, err)
		}
		mentions(t, err, "runtime.Goexit", "return an error")
	}
}

// chatty prints that many bytes and returns how many there were.
var chatty = mops.Define("test/chatty", func(_ context.Context, n int) (int, error) {
	line := strings.Repeat("x", 1023) + "\n"
	for printed := 0; printed < n; printed += len(line) {
		if _, err := os.Stderr.WriteString(line); err != nil {
			return 0, err
		}
	}
	return n, nil
})

func TestAFunctionThatPrintsMuchReturns(t *testing.T) {
	n := 16 << 20
	if os.Getenv("MOPS_SOAK") != "" {
		n = 1 << 30
	}
	ctx, _ := inSubprocesses(t)
	if out, err := chatty.Call(ctx, n); err != nil || out != n {
		t.Errorf("%d, %v", out, err)
	}
}

// talkative says something to its logger.
var talkative = mops.Define("test/talkative", func(ctx context.Context, n int) (int, error) {
	mops.Logger(ctx).Info("rows were read", "rows", n)
	mops.Logger(ctx).Debug("nobody needs to know")
	return n, nil
})

func TestAFunctionsLoggerIsHeardWhereverItRuns(t *testing.T) {
	shown := capture(t)
	ctx, _ := onDisk(t)
	must(talkative.Call(ctx, 7))
	must(onSubprocess(talkative).Call(ctx, 8))
	text := shown()
	for _, want := range []string{`level=INFO msg="rows were read" function=test/talkative@0 run=`, "rows=7", "rows=8"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
	if strings.Contains(text, "nobody") {
		t.Errorf("%s", text)
	}
}

// capture keeps the output of this test's environments off the terminal, and
// returns it.
func capture(t *testing.T) (shown func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	t.Cleanup(func() { os.Stderr = stderr; file.Close() })
	return func() string { return string(must(os.ReadFile(path))) }
}

func TestARootInMemoryIsNoPlaceForSubprocesses(t *testing.T) {
	ctx := mopstest.Context(t, mops.On(subprocess.New()))
	_, err := onSubprocess(misbehave).Call(ctx, "behave")
	if e, ok := errors.AsType[*mops.ExecError](err); !ok || e.Reason != "LaunchFailed" {
		t.Fatalf("%T: %v", err, err)
	}
	mentions(t, err, "mem://", "memory of this process", "file://")
}

func TestARunThatDiedLeavesARecord(t *testing.T) {
	ctx, _ := inSubprocesses(t)
	_, info, err := misbehave.Do(ctx, "exit 3")
	if err == nil {
		t.Fatal("there is no error")
	}
	files := must(filepath.Glob(filepath.Join(strings.TrimPrefix(info.URI, "file://"), "runs", "*.json")))
	if len(files) != 1 {
		t.Fatalf("%q", files)
	}
	run := header[record.RunHeader](t, info.URI, "runs/"+filepath.Base(files[0])).Run
	if run.Outcome != "exec_error" || run.Reason != "WorkerFailed" || !strings.Contains(run.Error, "exit code 3") || run.Executor != "subprocess" {
		t.Errorf("%+v", run)
	}
	// Its last words are kept, too.
	if log := logs(t, info.URI); !strings.Contains(log, "about to exit 3") {
		t.Errorf("%q", log)
	}
}
