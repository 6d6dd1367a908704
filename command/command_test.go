package command_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/command"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The test binary is its own worker.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

type question struct {
	Script command.Script
	N      int
}

type answer struct{ Square int }

var square = mops.Define("command-test/square", func(ctx context.Context, q question) (a answer, err error) {
	err = q.Script.Run(ctx, map[string]int{"n": q.N}, &a)
	return a, err
})

// shell is a script for sh, which every machine has; its standard input is the JSON.
func shell(t *testing.T, text string) command.Script {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "run.sh"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return command.Script{Interpreter: []string{"sh"}, Files: mops.Dir(folder), Name: "run.sh"}
}

const nine = `grep -q '"n":3' && echo '{"Square": 9}'`

func TestChangedScriptIsRunAgain(t *testing.T) {
	ctx := mopstest.Context(t)
	script := shell(t, nine)
	for _, want := range []mops.Outcome{mops.Computed, mops.Hit} {
		a, info, err := square.Do(ctx, question{script, 3})
		if err != nil || a.Square != 9 || info.Outcome != want {
			t.Errorf("got %v, %s, %v; want 9, %s", a, info.Outcome, err, want)
		}
	}
	changed := shell(t, nine+" # changed")
	other := script
	other.Args = []string{"--again"}
	for _, s := range []command.Script{changed, other} {
		if _, info, err := square.Do(ctx, question{s, 3}); err != nil || info.Outcome != mops.Computed {
			t.Errorf("%s: got %s, %v; want it computed", s, info.Outcome, err)
		}
	}
	// The same files elsewhere are the same script.
	if _, info, err := square.Do(ctx, question{shell(t, nine), 3}); err != nil || info.Outcome != mops.Hit {
		t.Errorf("got %s, %v; want a hit", info.Outcome, err)
	}
}

func TestAScriptAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nine")
	if err := os.WriteFile(path, []byte(nine), 0o666); err != nil {
		t.Fatal(err)
	}
	a, err := square.Call(mopstest.Context(t), question{command.Script{Interpreter: []string{"sh"}, Files: mops.File(path)}, 3})
	if err != nil || a.Square != 9 {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestErrorsSayWhatTheScriptDid(t *testing.T) {
	for text, want := range map[string]string{
		"echo no luck >&2; exit 3":         "exit status 3\nits last words:\nno luck",
		"kill -9 $$":                       "signal: killed",
		"exit 0":                           "it printed nothing",
		"echo hello":                       `begins with "hello\n"`,
		`echo '{"Square": 9} {}'`:          "more behind the first value",
		`echo '{"Square": 9, "Cube": 27}'`: `unknown field "Cube"`,
		`echo '{"Square": "nine"}'`:        "cannot unmarshal string",
		"i=0; while [ $i -lt 40 ]; do echo line $i >&2; i=$((i+1)); done; exit 1": "its last words:\nline 20\n",
	} {
		_, err := square.Call(mopstest.Context(t), question{shell(t, text), 3})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v\nwant %q in it", text, err, want)
		}
	}
	nobody := shell(t, nine)
	nobody.Interpreter = []string{"no-such-interpreter"}
	if _, err := square.Call(mopstest.Context(t), question{nobody, 3}); err == nil || !strings.Contains(err.Error(), "there is no no-such-interpreter on this machine") {
		t.Errorf("got %v", err)
	}
	nobody.Interpreter = nil
	if _, err := square.Call(mopstest.Context(t), question{nobody, 3}); err == nil || !strings.Contains(err.Error(), "Interpreter is empty") {
		t.Errorf("got %v", err)
	}
}

func TestExitCodeComesBackFromAWorker(t *testing.T) {
	ctx := mopstest.Context(t, mops.Root("file://"+t.TempDir()), mops.Force(mops.On(subprocess.New())))
	script := shell(t, "echo no luck >&2; exit 3")
	_, err := square.Call(ctx, question{script, 3})
	failed, is := errors.AsType[*command.Error](err)
	if !is || failed.Code != 3 || failed.Tail != "no luck" || failed.Script != "sh run.sh" {
		t.Errorf("got %#v in %v", failed, err)
	}
}

// A cancelled call leaves no process, even if the script has started another that
// holds its output open.
func TestCancelledScriptIsKilled(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "started")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v\n%s", err, out)
	}
	script := shell(t, "echo > "+pipe+"; sleep 600")
	ctx, cancel := context.WithCancel(mopstest.Context(t))
	go func() {
		_, _ = os.ReadFile(pipe) // until the script runs
		cancel()
	}()
	begin := time.Now()
	_, err := square.Call(ctx, question{script, 3})
	if !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Minute {
		t.Errorf("got %v after %v", err, time.Since(begin))
	}
}
