package delve

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rig is a root with calls of a program, and the tool.
type rig struct {
	*testing.T
	folder string
	env    []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, folder: t.TempDir()}
	r.env = append(os.Environ(), "MOPS_ROOT=file://"+r.folder+"/root", "MOPS_CACHE="+r.folder+"/cache", "MOPS_STATE="+r.folder+"/state", "MOPS_PROGRESS=off", "TERM=dumb")
	for name, from := range map[string]struct{ module, folder string }{"mops": {"../..", "./cmd/mops"}, "program": {".", "./testdata/program"}} {
		build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-gcflags=-N -l", "-o", filepath.Join(r.folder, name), from.folder)
		build.Dir = from.module
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return r
}

// with is r for a part of the test.
func (r *rig) with(t *testing.T) *rig { return &rig{T: t, folder: r.folder, env: r.env} }

func (r *rig) command(args ...string) *exec.Cmd {
	command := exec.CommandContext(r.Context(), filepath.Join(r.folder, args[0]), args[1:]...)
	command.Dir, command.Env = r.folder, r.env
	return command
}

// call makes a call, which may fail, and returns its URI.
func (r *rig) call(city string) string {
	r.Helper()
	out, _ := r.command("program", city).Output()
	if len(out) == 0 {
		r.Fatal("the program did not say which call it made")
	}
	return string(out)
}

// replay runs a call again by a command, which reads some input, and returns what
// both said.
func (r *rig) replay(code int, uri, input string, command ...string) string {
	r.Helper()
	before := r.stored()
	replay := r.command(append([]string{"mops", "replay", uri, "--"}, command...)...)
	replay.Stdin = strings.NewReader(input)
	out, err := replay.CombinedOutput()
	if got := exitCode(err); got != code {
		r.Errorf("exit code %d (%v), want %d", got, err, code)
	}
	if !maps.Equal(before, r.stored()) {
		r.Error("the store has changed")
	}
	return string(out)
}

func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// stored is what lies in the root.
func (r *rig) stored() map[string]string {
	r.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Join(r.folder, "root"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return all
}

func (r *rig) has(out string, texts ...string) {
	r.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			r.Errorf("%q is missing in\n%s", text, out)
		}
	}
}

func TestReplay(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: builds programs and a debugger")
	}
	r := newRig(t)
	t.Run("dlv", func(t *testing.T) { debug(r.with(t)) })
	t.Run("perf", func(t *testing.T) { profile(r.with(t)) })
}

func debug(r *rig) {
	t, dlv := r.T, Program(r.T)
	failed, panicked := r.call("Atlantis"), r.call("Vineta")
	const terminal = "--allow-non-terminal-interactive=true"

	t.Run("breakpoint", func(t *testing.T) {
		r := r.with(t)
		out := r.replay(0, failed, "break main.measure\ncontinue\nprint in.City\ncontinue\nexit\n", dlv, "exec", "./program", terminal)
		r.has(out, `"Atlantis"`, "has exited with status 1", "mops replay: SAME", "it failed: there is no station in Atlantis, as it did then")
	})
	t.Run("again", func(t *testing.T) {
		r := r.with(t)
		out := r.replay(0, failed, "continue\nrestart\nbreak main.measure\ncontinue\nprint in.City\ncontinue\nexit\n", dlv, "exec", "./program", terminal)
		r.has(out, `"Atlantis"`, "mops replay: SAME")
	})
	t.Run("left", func(t *testing.T) {
		r := r.with(t)
		out := r.replay(0, failed, "break main.measure\ncontinue\nexit\n", dlv, "exec", "./program", terminal)
		r.has(out, "mops replay: UNFINISHED")
	})
	t.Run("panic", func(t *testing.T) {
		r := r.with(t)
		out := r.replay(0, panicked, "continue\nstack\ncontinue\nexit\n", dlv, "exec", "./program", terminal)
		r.has(out, "unrecovered-panic", "in main.measure", "mops replay: SAME", "it panicked: the station is under water, as it did then")
	})
	t.Run("headless", func(t *testing.T) {
		r := r.with(t)
		before := r.stored()
		server := r.command("mops", "replay", failed, "--", dlv, "exec", "./program", "--headless")
		said, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var verdict bytes.Buffer
		server.Stderr = &verdict
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		address := ""
		for lines := bufio.NewScanner(said); address == "" && lines.Scan(); {
			_, address, _ = strings.Cut(lines.Text(), "listening at: ")
		}
		client := exec.CommandContext(t.Context(), dlv, "connect", address, terminal)
		client.Stdin = strings.NewReader("break main.measure\ncontinue\nprint in.City\ncontinue\nexit\n")
		out, err := client.CombinedOutput()
		if err != nil {
			t.Errorf("dlv connect %s: %v\n%s", address, err, out)
		}
		if err := server.Wait(); err != nil {
			t.Errorf("%v\n%s", err, verdict.String())
		}
		r.has(string(out), `"Atlantis"`)
		r.has(verdict.String(), "mops replay: SAME")
		if !maps.Equal(before, r.stored()) {
			t.Error("the store has changed")
		}
	})
}

func profile(r *rig) {
	data := filepath.Join(r.folder, "perf.data")
	if out, err := exec.CommandContext(r.Context(), "perf", "record", "-o", data, "true").CombinedOutput(); err != nil {
		r.Skipf("left out: perf does not record here: %v\n%s", err, out)
	}
	if err := os.Remove(data); err != nil {
		r.Fatal(err)
	}
	out := r.replay(1, r.call("Atlantis"), "", "perf", "record", "-o", data, "./program")
	r.has(out, "mops replay: SAME")
	if info, err := os.Stat(data); err != nil || info.Size() == 0 {
		r.Errorf("no profile was recorded: %v", err)
	}
}
