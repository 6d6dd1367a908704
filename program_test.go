//go:build unix

package mops_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	programruns "github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// program/double is the function that the programs under test call.
var programDouble = mops.Define("program/double", func(_ context.Context, n int) (int, error) {
	if n < 0 {
		return 0, fmt.Errorf("%d is negative", n)
	}
	return 2 * n, nil
})

// interruptible says that it has begun, and waits.
var interruptible = mops.Define("program/interruptible", func(ctx context.Context, begun string) (int, error) {
	if err := mark(begun, "begun"); err != nil {
		return 0, err
	}
	<-ctx.Done()
	return 0, errors.Join(mark(begun, "ended"), ctx.Err())
})

// fatal ends its process unless there is a mark.
var fatal = mops.Define("program/fatal", func(_ context.Context, marks string) (string, error) {
	entries, err := os.ReadDir(marks)
	if err == nil && len(entries) == 0 {
		if err := mark(marks, "died"); err != nil {
			return "", err
		}
		os.Exit(3)
	}
	return "survived", err
})

func init() {
	programs["main"] = func() { // calls double with its arguments
		mops.Main(func(ctx context.Context) error {
			for _, argument := range os.Args[1:] {
				n, err := strconv.Atoi(argument)
				if err != nil {
					return err
				}
				out, info, err := programDouble.Do(ctx, n)
				if err != nil {
					return err
				}
				fmt.Println(out, info.Outcome)
			}
			return nil
		})
	}
	programs["interrupted"] = func() {
		mops.Main(func(ctx context.Context) error {
			_, err := interruptible.Call(ctx, os.Args[1])
			return err
		}, mops.Executor("patient", subprocess.New(subprocess.Grace(time.Minute))))
	}
	programs["fails at length"] = func() {
		mops.Main(func(context.Context) error { return errors.New("it begins" + strings.Repeat("é", 10<<20) + "it ends") })
	}
	programs["stubborn"] = func() { // does not heed its context
		mops.Main(func(context.Context) error {
			if err := mark(os.Args[1], "begun"); err != nil {
				return err
			}
			select {}
		})
	}
	programs["fatal"] = func() {
		mops.Main(func(ctx context.Context) error {
			out, err := fatal.Call(ctx, os.Args[1])
			fmt.Println(out)
			return err
		})
	}
	programs["nested"] = func() { // whose workers get the same options
		mops.Main(func(ctx context.Context) error {
			all, err := visits.Call(ctx, "x")
			if err == nil {
				fmt.Println(all[0].PID != os.Getpid(), all[1].PID == all[0].PID)
			}
			return err
		}, mops.On(subprocess.New()))
	}
	withoutInit := func(options ...subprocess.Option) {
		env, err := mops.New(context.Background(), mops.On(subprocess.New(options...)))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(9)
		}
		_, err = programDouble.Call(env.Context(context.Background()), 1)
		fmt.Println(err, env.Close())
		os.Exit(0)
	}
	programs["without Init"] = func() { withoutInit() }
	programs["without Init, as another program"] = func() { withoutInit(subprocess.Command(os.Args[0])) }
	programs["own main"] = func() { // as README has it
		mops.Init()
		n := flag.Int("n", 0, "what to double")
		flag.Parse()
		env, err := mops.New(context.Background(), mops.On(subprocess.New()))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(9)
		}
		out, err := programDouble.Call(env.Context(context.Background()), *n)
		fmt.Println(out, err, env.Close())
		os.Exit(0)
	}
}

// run runs a program to its end.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// lookupIn is the value of a variable, the last one of that name.
func lookupIn(environment []string, name string) (value string) {
	for _, entry := range environment {
		if text, ok := strings.CutPrefix(entry, name+"="); ok {
			value = text
		}
	}
	return value
}

// again is the same program once more.
func again(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	next := exec.CommandContext(t.Context(), cmd.Path, cmd.Args[1:]...)
	next.Dir, next.Env = cmd.Dir, cmd.Env
	return next
}

func TestAProgramUnderMain(t *testing.T) {
	cmd := program(t, "main", "3", "4")
	stdout, stderr, code := run(t, cmd)
	if code != 0 || stdout != "6 computed\n8 computed\n" {
		t.Errorf("exit code %d, printed %s, %s", code, stdout, stderr)
	}
	stdout, stderr, code = run(t, again(t, cmd))
	if code != 0 || stdout != "6 hit\n8 hit\n" {
		t.Errorf("the second time: exit code %d, printed %s, %s", code, stdout, stderr)
	}
	if entries := must(os.ReadDir(cmd.Dir)); len(entries) != 0 {
		t.Errorf("the current folder has %v", entries)
	}
	// Each run is kept in the root.
	kept := runsIn(t, lookupIn(cmd.Env, "MOPS_ROOT"))
	if len(kept) != 2 {
		t.Fatalf("%v", kept)
	}
	for i, hits := range []int64{0, 2} {
		total := kept[i].State.Total()
		if kept[i].Ended == nil || kept[i].Ended.Exit != 0 || kept[i].Ended.Cancelled || total.Hits != hits || total.Computed != 2-hits || len(kept[i].Calls) != 2 {
			t.Errorf("%+v", kept[i])
		}
	}
}

func TestAProgramThatFailsSaysItsErrorOnce(t *testing.T) {
	for _, mode := range []string{"off", "plain", "auto"} {
		cmd := program(t, "main", "--", "-1")
		cmd.Args = []string{cmd.Args[0], "1", "-1"}
		cmd.Env = append(cmd.Env, "MOPS_PROGRESS="+mode)
		stdout, stderr, code := run(t, cmd)
		said := stderr
		if mode != "off" { // a program that takes longer than half a second shows how it goes
			said = withoutProgress(stderr)
		}
		if code != 1 || stdout != "2 computed\n" || strings.Count(said, "\n") != 1 || strings.Count(said, "-1 is negative") != 1 || !strings.HasPrefix(said, "error: program/double failed") {
			t.Errorf("%s: exit code %d, printed %s, %s", mode, code, stdout, stderr)
		}
	}
}

// withoutProgress is what a program printed apart from its plain progress.
func withoutProgress(stderr string) string {
	var said strings.Builder
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "mops: ") {
			said.WriteString(line)
		}
	}
	return said.String()
}

func TestAProgramWithAWrongSettingDoesNotRun(t *testing.T) {
	for _, wrong := range []string{"MOPS_RETRIES=often", "MOPS_PROGRESS=fancy"} {
		cmd := program(t, "main", "1")
		cmd.Env = append(cmd.Env, wrong)
		stdout, stderr, code := run(t, cmd)
		name, value, _ := strings.Cut(wrong, "=")
		if code != 1 || stdout != "" || !strings.Contains(stderr, value) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, printed %s, %s", name, code, stdout, stderr)
		}
	}
}

// waitFor returns when a folder has a file.
func waitFor(t *testing.T, folder string) {
	t.Helper()
	for marks(t, folder) == 0 {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestCtrlCEndsWhatRuns(t *testing.T) {
	for _, where := range []string{"inproc", "patient"} {
		for signal, want := range map[os.Signal]struct {
			code int
			says string
		}{
			os.Interrupt:    {130, "interrupted: stopping workers and releasing leases; press Ctrl-C again to leave at once"},
			syscall.SIGTERM: {143, "terminated by SIGTERM: stopping workers and releasing leases; another signal ends the program at once"},
		} {
			var folder string
			var cmd *exec.Cmd
			var stderr bytes.Buffer
			for atOnce := false; !atOnce; {
				folder = t.TempDir()
				cmd = program(t, "interrupted", folder)
				cmd.Env = append(cmd.Env, "MOPS_EXECUTOR="+where)
				stderr.Reset()
				cmd.Stderr = &stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				waitFor(t, folder)
				sent := time.Now()
				cmd.Process.Signal(signal)
				cmd.Process.Signal(signal)                       // as timeout(1) does: it is one
				atOnce = time.Since(sent) < 100*time.Millisecond // else this test was held up, and they were two
				cmd.Wait()
			}
			if code := cmd.ProcessState.ExitCode(); code != want.code || marks(t, folder) != 2 {
				t.Errorf("%s, %v: exit code %d, %d marks, said %s", where, signal, code, marks(t, folder), &stderr)
			}
			if said := withoutProgress(stderr.String()); !strings.Contains(said, want.says) || strings.Contains(said, "error:") {
				t.Errorf("%s, %v: it said %s", where, signal, said)
			}
		}
	}
}

func TestALongErrorIsNotPrintedWhole(t *testing.T) {
	_, stderr, code := run(t, program(t, "fails at length"))
	if code != 1 || len(stderr) > 20<<10 {
		t.Fatalf("exit code %d, %d bytes on standard error", code, len(stderr))
	}
	for _, want := range []string{"error: it begins", "bytes are left out", "it ends"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in %.100s", want, stderr)
		}
	}
}

func TestASecondCtrlCLeavesAtOnce(t *testing.T) {
	folder := t.TempDir()
	cmd := program(t, "stubborn", folder)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, folder)
	cmd.Process.Signal(os.Interrupt)
	first := make([]byte, 1)
	for text := ""; !strings.Contains(text, "interrupted"); text += string(first) { // it was noticed
		if _, err := said.Read(first); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan struct{})
	go func() { defer close(ended); cmd.Wait() }()
	for again := true; again; {
		select {
		case <-time.After(time.Second): // so that it is another, unless the program was held up between its words and its look at the time
			cmd.Process.Signal(os.Interrupt)
		case <-ended:
			again = false
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
}

func TestAFunctionThatEndsTheProgramIsNoObstacleForTheNextRun(t *testing.T) {
	cmd := program(t, "fatal", t.TempDir())
	if _, stderr, code := run(t, cmd); code != 3 {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	stdout, stderr, code := run(t, again(t, cmd))
	if code != 0 || stdout != "survived\n" {
		t.Errorf("exit code %d, printed %s, %s", code, stdout, stderr)
	}
}

func TestWhereMainSendsFunctionsIsNoPlaceForWhatTheyCall(t *testing.T) {
	stdout, stderr, code := run(t, program(t, "nested"))
	if code != 0 || stdout != "true true\n" {
		t.Errorf("exit code %d, printed %s, %s", code, stdout, stderr)
	}
}

func TestAProgramWithAMainOfItsOwn(t *testing.T) {
	cmd := program(t, "own main", "-n", "21")
	stdout, stderr, code := run(t, cmd)
	if code != 0 || stdout != "42 <nil> <nil>\n" {
		t.Errorf("exit code %d, printed %s, %s", code, stdout, stderr)
	}
}

// It would begin anew as its worker, and then have workers itself.
func TestAProgramThatForgotInitIsTold(t *testing.T) {
	stdout, stderr, _ := run(t, program(t, "without Init"))
	if !strings.Contains(stdout, "starts this program again as a worker, and it would not become one: add to a test file") || stderr != "" {
		t.Errorf("printed %s, %s", stdout, stderr)
	}
	stdout, stderr, _ = run(t, program(t, "without Init, as another program"))
	if !strings.Contains(stdout, "exit code 9") || !strings.Contains(stdout, "call mops.Init first in main") || strings.Count(stderr, "\n") > 2 {
		t.Errorf("printed %s, %s", stdout, stderr)
	}
}

// unprivileged lets a program run as a user who may not write to a folder.
func unprivileged(t *testing.T, cmd *exec.Cmd, readOnly string) {
	t.Helper()
	if err := os.Chmod(readOnly, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(readOnly, 0o755) })
	if os.Getuid() != 0 {
		return
	}
	// Permissions mean nothing to root, so another user must run the program, who
	// cannot reach this binary and the test's folders yet.
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("as root this test needs a user nobody: ", err)
	}
	uid, gid := must(strconv.Atoi(nobody.Uid)), must(strconv.Atoi(nobody.Gid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	bin := t.TempDir()
	data := must(os.ReadFile(cmd.Path))
	cmd.Path = filepath.Join(bin, "program")
	syscall.ForkLock.RLock() // a process that is forked meanwhile would have it open for writing
	err = os.WriteFile(cmd.Path, data, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	for dir := bin; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, entry := range cmd.Env {
		if _, root, ok := strings.Cut(entry, "MOPS_ROOT=file://"); ok && root != readOnly {
			if err := os.Chown(root, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd.Env = append(cmd.Env, "HOME=/nonexistent", "MOPS_CACHE="+filepath.Join(bin, "cache"))
}

func TestARootOfSomebodyElse(t *testing.T) {
	cmd := program(t, "main", "3")
	root := t.TempDir()
	cmd.Env = append(cmd.Env, "MOPS_ROOT=file://"+root)
	unprivileged(t, cmd, root)
	stdout, stderr, code := run(t, cmd)
	if code != 1 || stdout != "" || !strings.Contains(stderr, root) || !strings.Contains(stderr, "permission denied") || !strings.Contains(stderr, "MOPS_READ_ONLY=1") {
		t.Errorf("exit code %d, printed %s, %s", code, stdout, stderr)
	}
	reader := again(t, cmd)
	reader.SysProcAttr, reader.Env = cmd.SysProcAttr, append(cmd.Env, "MOPS_READ_ONLY=1")
	if stdout, stderr, code := run(t, reader); code != 0 || stdout != "6 computed\n" {
		t.Errorf("reading: exit code %d, printed %s, %s", code, stdout, stderr)
	}
}

func TestACurrentFolderOfSomebodyElse(t *testing.T) {
	for _, where := range []string{"inproc", "subprocess"} {
		cmd := program(t, "main", "3")
		cmd.Env = append(cmd.Env, "MOPS_EXECUTOR="+where)
		unprivileged(t, cmd, cmd.Dir)
		stdout, stderr, code := run(t, cmd)
		if code != 0 || stdout != "6 computed\n" {
			t.Errorf("%s: exit code %d, printed %s, %s", where, code, stdout, stderr)
		}
	}
}

// runsIn reads the runs of programs that a root has, the oldest first.
func runsIn(t *testing.T, root string) (all []*programruns.Run) {
	t.Helper()
	store := must(blob.Open(t.Context(), root))
	defer store.Close()
	for _, e := range must(programruns.List(t.Context(), store)) {
		if !e.Begun { // a program that ends writes its parts side by side
			continue
		}
		all = append(all, must(programruns.Read(t.Context(), store, e.ID)))
	}
	slices.SortFunc(all, func(a, b *programruns.Run) int { return a.Start.Compare(b.Start) })
	return all
}

func TestAPlanUnderMain(t *testing.T) {
	cmd := program(t, "main", "3", "4", "5")
	cmd.Env = append(cmd.Env, "MOPS_PLAN=1")
	stdout, stderr, code := run(t, cmd)
	if code != 3 || stdout != "" {
		t.Errorf("exit code %d, %q", code, stdout)
	}
	for _, text := range []string{
		"plan: nothing was computed, and nothing was written\n", "program/double@0     0           1  no earlier run\n",
		"not in the table: calls that these would make in turn",
		"this was a plan, and the program went as far as it could: program/double: file://",
	} {
		if !strings.Contains(stderr, text) {
			t.Errorf("%q is missing in\n%s", text, stderr)
		}
	}
	if strings.Contains(stderr, "error:") {
		t.Errorf("it is called an error:\n%s", stderr)
	}
	if entries, _ := os.ReadDir(strings.TrimPrefix(lookupIn(cmd.Env, "MOPS_ROOT"), "file://")); len(entries) > 0 {
		t.Errorf("the root holds %v", entries)
	}
	if entries, _ := os.ReadDir(lookupIn(cmd.Env, "MOPS_STATE")); len(entries) > 0 {
		t.Errorf("a summary was left: %v", entries)
	}

	compute := again(t, cmd)
	compute.Env = append(compute.Env, "MOPS_PLAN=")
	run(t, compute)
	stdout, stderr, code = run(t, again(t, cmd))
	if code != 0 || stdout != "6 hit\n8 hit\n10 hit\n" || !strings.Contains(stderr, "every result that the program asked for is there") {
		t.Errorf("with all results: exit code %d, %q\n%s", code, stdout, stderr)
	}
}

func TestAWrongPlanVariable(t *testing.T) {
	cmd := program(t, "main", "3")
	cmd.Env = append(cmd.Env, "MOPS_PLAN=maybe")
	if stdout, stderr, code := run(t, cmd); code != 1 || stdout != "" || !strings.Contains(stderr, `MOPS_PLAN="maybe": neither yes nor no`) {
		t.Errorf("exit code %d, %q\n%s", code, stdout, stderr)
	}
}
