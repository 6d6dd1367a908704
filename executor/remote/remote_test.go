//go:build linux || darwin

package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/executortest"
	"github.com/TrilliantHealth/mops-go/executor/remote"
	"github.com/TrilliantHealth/mops-go/internal/engine/agent"
	"github.com/TrilliantHealth/mops-go/internal/engine/packtest"
)

// here is a command that leads to a shell of this machine; module test has ssh and
// Slurm.
var here = remote.Through("env")

var maker = executortest.Maker{
	New: func() executor.Executor {
		e := remote.New(here, remote.Grace(200*time.Millisecond), remote.Pack(time.Minute))
		if os.Getenv(packtest.PlaceVariable) != "" { // helper processes, too
			return packtest.New(e, e.Packing())
		}
		return e
	},
	Can:      executortest.Capabilities{Outlive: true, Logs: true, Kill: true},
	Impostor: func(handle string) string { return handle[:len(handle)-1] + "9" },
}

// The test binary is a worker of the conformance suite, or of a role below.
const (
	roleVariable   = "MOPS_TEST_REMOTE"
	secretVariable = "MOPS_TEST_REMOTE_SECRET"
	gateVariable   = "MOPS_TEST_REMOTE_GATE"
)

func TestMain(m *testing.M) {
	if code, asked := agent.Serve(); asked {
		os.Exit(code)
	}
	packtest.Work()
	if role, ok := roles[os.Getenv(roleVariable)]; ok {
		os.Exit(role())
	}
	executortest.Main(m, maker)
}

var roles = map[string]func() int{
	"says": func() int {
		fmt.Println("secret", os.Getenv(secretVariable))
		return executor.ExitFunc
	},
	"holds": func() int { return hold(os.Getenv(gateVariable)) },
	"orphans itself": func() int {
		syscall.Kill(os.Getppid(), syscall.SIGKILL) // the agent
		return hold(os.Getenv(gateVariable))
	},
}

// hold reports at the gate and waits until that closes.
func hold(gate string) int {
	conn, err := net.Dial("tcp", gate)
	if err != nil {
		return 1
	}
	defer conn.Close()
	io.Copy(io.Discard, conn)
	return executor.ExitOK
}

// patience is how long a worker may take: machines may be busy.
const patience = 2 * time.Minute

func TestConformance(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	executortest.Run(t, maker)
}

func invocation(t *testing.T, role string, env ...string) executor.Invocation {
	return executor.Invocation{
		Function: "test/" + role + "@1", MemoURI: "s3://bucket/" + t.Name(), ID: executor.ID{LeaseID: t.TempDir()},
		Env: append(env, roleVariable+"="+role),
	}
}

// run runs a worker to its end and returns its output.
func run(t *testing.T, inv executor.Invocation, options ...remote.Option) (executor.Exit, string) {
	t.Helper()
	var printed bytes.Buffer
	inv.Log = func(chunk []byte) { printed.Write(chunk) }
	w, err := remote.New(options...).Start(t.Context(), inv)
	if err != nil {
		failure, ok := errors.AsType[*executor.Error](err)
		if !ok {
			t.Fatal(err)
		}
		return executor.Exit{Code: -1, Err: failure}, ""
	}
	exit := wait(t, w)
	return exit, printed.String()
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

// script writes a program for a folder of the path.
func script(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// with is a command that leads to a shell where programs of that name are others.
func with(t *testing.T, name, text string) remote.Option {
	folder := t.TempDir()
	script(t, folder, name, text)
	return remote.Through("env", "PATH="+folder+":"+os.Getenv("PATH"))
}

// What a worker is told stands on no command line.
func TestSecretsAreOnNoCommandLine(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	recorded := filepath.Join(t.TempDir(), "arguments")
	folder := t.TempDir()
	script(t, folder, "command", `echo "$@" >>'`+recorded+`'; env >>'`+recorded+`'; exec "$@"`)
	exit, printed := run(t, invocation(t, "says"), remote.Through(folder+"/command"), remote.Env(secretVariable+"=bird'\n seed"))
	if exit.Code != executor.ExitFunc || printed != "secret bird'\n seed\n" {
		t.Errorf("%+v, and it printed %q", exit, printed)
	}
	text, err := os.ReadFile(recorded)
	if err != nil || !bytes.HasPrefix(text, []byte("sh\n")) || bytes.Contains(text, []byte("seed")) {
		t.Errorf("%v: the command had\n%s", err, text)
	}
}

// A machine gets the program once.
func TestProgramIsSentOnce(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("MOPS_CACHE", cache)
	sent := filepath.Join(t.TempDir(), "sent")
	option := with(t, "head", "echo x >>'"+sent+"'; PATH='"+os.Getenv("PATH")+`' exec head "$@"`)
	old := filepath.Join(cache, "programs", "old")
	if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	month := time.Now().Add(-31 * 24 * time.Hour)
	if err := os.Chtimes(old, month, month); err != nil {
		t.Fatal(err)
	}
	e := remote.New(option)
	var workers []executor.Worker
	for range 4 {
		w, err := e.Start(t.Context(), invocation(t, "says"))
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, w)
	}
	for _, w := range workers {
		if exit := wait(t, w); exit.Code != executor.ExitFunc {
			t.Errorf("%+v", exit)
		}
	}
	if exit, _ := run(t, invocation(t, "says"), option); exit.Code != executor.ExitFunc {
		t.Errorf("%+v", exit)
	}
	if text, _ := os.ReadFile(sent); string(text) != "x\n" {
		t.Errorf("it was sent %d times", len(text)/2)
	}
	left, _ := os.ReadDir(filepath.Join(cache, "programs"))
	if len(left) != 1 || len(left[0].Name()) != 64 {
		t.Errorf("the cache has %v", left)
	}
}

// Whatever keeps a worker from starting is said, with what to do.
func TestWhyItDoesNotStart(t *testing.T) {
	processor := "aarch64"
	if runtime.GOARCH == "arm64" {
		processor = "x86_64"
	}
	path := "PATH='" + os.Getenv("PATH") + "' exec "
	for name, test := range map[string]struct {
		options []remote.Option
		want    string
	}{
		"no command":       {nil, "one of Through, SSH, Slurm and Docker"},
		"no such command":  {[]remote.Option{remote.Through("no-such-command")}, `"no-such-command"`},
		"refused":          {[]remote.Option{remote.Through("sh", "-c", "echo you may not >&2; exit 9")}, "ended with exit code 9: you may not"},
		"another platform": {[]remote.Option{with(t, "uname", `case $1 in -s) echo Linux;; *) echo `+processor+`;; esac`)}, "remote.Program"},
		"no space":         {[]remote.Option{with(t, "head", "echo No space left on device >&2; exit 1")}, "make room"},
		"cut off":          {[]remote.Option{with(t, "head", path+"head -c 1000")}, "came in part"},
		"no execution":     {[]remote.Option{with(t, "chmod", ":")}, "may not be executed in that folder"},
		"no loader":        {[]remote.Option{with(t, "chmod", path+`sh -c 'printf "#!/no/such/loader" >"$2"; chmod "$@"' x "$@"`)}, "CGO_ENABLED=0"},
		"no key":           {[]remote.Option{remote.Through("sh", "-c", "echo Host key verification failed. >&2; exit 255")}, "by hand"},
		"no user":          {[]remote.Option{remote.Through("sh", "-c", "echo 'x@y: Permission denied (publickey).' >&2; exit 255")}, "ssh-copy-id"},
		"damaged":          {[]remote.Option{with(t, "head", path+`sh -c 'head "$@" | LC_ALL=C sed "s/came in part/came in pbrt/"' x "$@"`)}, "is damaged"},
		"another program":  {[]remote.Option{here, remote.Program("/bin/true")}, "mops.Main or mops.Init"},
		"no program":       {[]remote.Option{here, remote.Program("/no/such/file")}, "/no/such/file"},
		"no home":          {[]remote.Option{remote.Through("env", "-u", "HOME", "-u", "MOPS_CACHE", "-u", "XDG_CACHE_HOME")}, "set it, or MOPS_CACHE"},
		"cache is a file":  {[]remote.Option{remote.Through("env", "MOPS_CACHE=/dev/null")}, "/dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := t.TempDir()
			t.Setenv("MOPS_CACHE", cache)
			exit, _ := run(t, invocation(t, "says"), test.options...)
			if exit.Err == nil || exit.Err.Reason != executor.LaunchFailed || !strings.Contains(exit.Err.Error(), test.want) {
				t.Errorf("%+v; want %q", exit.Err, test.want)
			}
			if left, _ := filepath.Glob(cache + "/programs/*.mops-*"); len(left) > 0 && name != "another program" { // which became that
				t.Errorf("it left %q", left)
			}
		})
	}
}

// A folder of this machine is no root for another.
func TestRootThatIsNotShared(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: the agent waits 10 s for a network file system")
	}
	t.Setenv("MOPS_CACHE", t.TempDir())
	inv := invocation(t, "says")
	shared := t.TempDir()
	inv.MemoURI = "file://" + shared
	if exit, _ := run(t, inv, here); exit.Code != executor.ExitFunc {
		t.Errorf("%+v", exit)
	}
	if exit, _ := run(t, inv, here, remote.Root("file://"+filepath.Dir(shared), "file:///no/such/folder")); exit.Err == nil || !strings.Contains(exit.Err.Error(), "a root that both machines see") {
		t.Errorf("%+v", exit)
	}
}

// Greetings of a machine are no part of the conversation, nor of the log.
func TestChattyMachine(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	exit, printed := run(t, invocation(t, "says"), remote.Through("sh", "-c", `echo "Welcome to {} machine"; printf 'no end'; echo; exec "$0"`))
	if exit.Code != executor.ExitFunc || printed != "secret \n" {
		t.Errorf("%+v, and it printed %q", exit, printed)
	}
}

// A command that waits, as in a queue, can be stopped, and left.
func TestEndWhileItWaits(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	start := func() executor.Worker {
		inv := invocation(t, "says")
		inv.Tell = func(s executor.Stage) {
			if s != executor.Starting {
				t.Errorf("it is %s", s)
			}
		}
		w, err := remote.New(remote.Through("sh", "-c", "exec sleep 600")).Start(t.Context(), inv)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := start()
	if err := w.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, w); exit.Err == nil || !errors.Is(exit.Err, context.Canceled) {
		t.Errorf("%+v", exit)
	}
	w = start()
	w.Release()
	if _, err := w.Wait(t.Context()); err == nil {
		t.Error("a worker that was released has an exit")
	}
}

// A command of a worker that was released can print all the same.
func TestReleaseWhileTheCommandPrints(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	folder := t.TempDir()
	for _, name := range []string{"held", "go", "printed"} {
		if err := syscall.Mkfifo(filepath.Join(folder, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	holdsBack := fmt.Sprintf(`trap '' PIPE; cd '%s'; "$0" | while IFS= read -r line; do
	case $line in
	*'"started"'*) echo held >held; read -r go <go; echo "$line"; echo $? >printed ;;
	*) echo "$line" ;;
	esac
done`, folder)
	variable, visit := gate(t)
	w, err := remote.New(remote.Through("sh", "-c", holdsBack)).Start(t.Context(), invocation(t, "holds", variable))
	if err != nil {
		t.Fatal(err)
	}
	defer visit().Close()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	read("held")
	w.Release()
	if err := os.WriteFile(filepath.Join(folder, "go"), []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if code := read("printed"); code != "0" {
		t.Errorf("after the release, it could not print: exit code %s", code)
	}
}

// gate is where a worker reports.
func gate(t *testing.T) (variable string, visit func() net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return gateVariable + "=" + l.Addr().String(), func() net.Conn {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// Where the agent is gone, the store says whether the worker lives.
func TestAgentThatWasKilled(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	variable, visit := gate(t)
	inv := invocation(t, "orphans itself", variable)
	var asked atomic.Int32
	conns := make(chan net.Conn, 1)
	inv.Lives = func(context.Context) (bool, error) {
		if asked.Add(1) == 2 {
			(<-conns).Close()
		}
		return asked.Load() < 3, nil
	}
	w, err := remote.New(here).Start(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	conns <- visit()
	if exit := wait(t, w); exit.Err == nil || exit.Err.Reason != executor.WorkerLost || asked.Load() != 3 {
		t.Errorf("%+v, after %d questions", exit, asked.Load())
	}
}

// A machine that nobody reaches any more does not hold the caller up for ever.
func TestMachineThatIsAway(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	variable, visit := gate(t)
	away := []remote.Option{here, remote.Again("sh", "-c", "echo no route >&2; exit 255"), remote.Patience(100 * time.Millisecond)}
	e := remote.New(away...)
	w, err := e.Start(t.Context(), invocation(t, "orphans itself", variable))
	if err != nil {
		t.Fatal(err)
	}
	conn := visit()
	exit := wait(t, w)
	if exit.Err == nil || exit.Err.Reason != executor.WorkerLost || !strings.Contains(exit.Err.Error(), "no route") {
		t.Errorf("%+v", exit)
	}
	inv := invocation(t, "holds")
	if _, err := e.Attach(t.Context(), inv, w.Handle()); err == nil || errors.Is(err, executor.ErrGone) {
		t.Errorf("%v: nobody can know that it is gone", err)
	}
	inv.Lives = func(context.Context) (bool, error) { return false, nil }
	if _, err := e.Attach(t.Context(), inv, w.Handle()); !errors.Is(err, executor.ErrGone) {
		t.Errorf("%v: there is no sign of it", err)
	}
	conn.Close()
}

// While a job waits for its turn, people see why.
func TestQueue(t *testing.T) {
	t.Setenv("MOPS_CACHE", t.TempDir())
	folder := t.TempDir()
	script(t, folder, "srun", `echo "$@" >'`+folder+`/arguments'; echo 'srun: job 7 queued and waiting for resources' >&2
while [ ! -e '`+folder+`/explained' ]; do sleep 0.01; done; exec sh`)
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	inv := invocation(t, "says")
	var mu sync.Mutex
	var told []string
	tell := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, what)
	}
	inv.Explain = func(why string) {
		tell(why)
		if err := os.WriteFile(folder+"/explained", nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	inv.Tell = func(s executor.Stage) { tell(string(s)) }
	w, err := remote.New(remote.Slurm("--mem=2G")).Start(t.Context(), inv)
	if err != nil {
		t.Fatal(err)
	}
	if exit := wait(t, w); exit.Code != executor.ExitFunc {
		t.Errorf("%+v", exit)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"queued", "srun: job 7 queued and waiting for resources", "running"}; !slices.Equal(told, want) {
		t.Errorf("it told %q", told)
	}
	if text, _ := os.ReadFile(folder + "/arguments"); !strings.Contains(string(text), "--job-name="+w.Handle()+" --mem=2G sh") {
		t.Errorf("srun had %s", text)
	}
}

func TestLimit(t *testing.T) {
	for n, want := range map[int]int{7: 7, 0: 0, -1: 0} {
		if got := remote.New(remote.Limit(n)).Limit(); got != want {
			t.Errorf("Limit(%d) is %d, want %d", n, got, want)
		}
	}
	if got := remote.New().Limit(); got != 16 {
		t.Errorf("the default limit is %d", got)
	}
}

func TestRoot(t *testing.T) {
	e := remote.New(remote.Root("file:///data/", "file:///mnt"), remote.Root("file:///data/b", "file:///b"))
	for root, want := range map[string]string{"file:///data": "file:///mnt", "file:///data/b/c": "file:///b/c", "file:///database": "file:///database"} {
		if got := e.RootFor(root); got != want {
			t.Errorf("%s is at %s, want %s", root, got, want)
		}
	}
}
