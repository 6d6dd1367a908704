package mops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

var (
	keptInner = mops.Define("kept/inner", func(_ context.Context, n int) (int, error) { return n + 1, nil })
	keptOuter = mops.Define("kept/outer", func(ctx context.Context, n int) (int, error) {
		mops.Record(ctx, "rows", n)
		return keptInner.Call(ctx, n)
	})
)

func init() {
	programs["waits"] = func() {
		mops.Main(func(ctx context.Context) error {
			if _, err := keptOuter.Call(ctx, 1); err != nil {
				return err
			}
			fmt.Println("called")
			<-ctx.Done()
			return nil
		})
	}
	programs["hurries"] = func() {
		mops.Main(func(ctx context.Context) error {
			for n := range 20 {
				if _, err := keptOuter.Call(ctx, os.Getpid()*1000+n); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// Programs that begin at once in one root each leave a run of their own.
func TestRunsOfProgramsThatBeginAtOnce(t *testing.T) {
	root := "file://" + t.TempDir()
	calls := map[int]int{} // by process
	var all []*exec.Cmd
	for range 4 {
		cmd := program(t, "hurries")
		cmd.Env = append(cmd.Env, "MOPS_ROOT="+root)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, cmd)
	}
	for _, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	for _, run := range runsIn(t, root) {
		calls[run.PID] += len(run.Calls)
		if total := run.State.Total(); run.Ended == nil || run.Damaged > 0 || total.Computed != 40 {
			t.Errorf("got %+v", run)
		}
	}
	for _, cmd := range all {
		if calls[cmd.Process.Pid] != 40 || len(calls) != len(all) {
			t.Errorf("calls by process: %v", calls)
		}
	}
}

// A program that is killed has left what it did until some seconds before.
func TestTheRunOfAKilledProgram(t *testing.T) {
	cmd := program(t, "waits")
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	root := lookupIn(cmd.Env, "MOPS_ROOT")
	deadline := time.Now().Add(2 * time.Minute)
	for kept := runsIn(t, root); len(kept) != 1 || len(kept[0].Calls) != 2; kept = runsIn(t, root) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not kept while it goes on: %+v", kept)
		}
		time.Sleep(50 * time.Millisecond) // there is no event: the files of another process
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	run := runsIn(t, root)[0]
	if total := run.State.Total(); run.Ended != nil || total.Computed != 2 || run.PID != cmd.Process.Pid || run.User == "" || !run.Live(run.Written.Add(time.Second)) || run.Live(run.Written.Add(time.Hour)) {
		t.Errorf("got %+v", run)
	}
	if inner := run.Calls[0]; inner.Function != "kept/inner@0" || !strings.HasPrefix(inner.Caller, "mops1/default/kept/outer@0/") || !strings.HasPrefix(inner.Memo, "mops1/default/kept/inner@0/") {
		t.Errorf("got %+v", inner)
	}
}

// The calls that workers make belong to the run, and records of calls have its fields.
func TestWorkersBelongToTheRun(t *testing.T) {
	silence(t)
	root := "file://" + t.TempDir()
	env, ctx := newEnv(t, mops.Root(root), mops.On(subprocess.New()), mops.RunField("ticket", "ML-17"), mops.RunField("rows", 0))
	mops.Record(ctx, "link", "https://logs/1")
	_, info, err := keptOuter.Do(ctx, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := env.Close(); err != nil {
		t.Fatal(err)
	}
	kept := runsIn(t, root)
	if len(kept) != 1 {
		t.Fatalf("%d runs", len(kept))
	}
	run := kept[0]
	if len(run.Calls) != 2 || run.State.Total().Computed != 2 || run.Fields["ticket"] != "ML-17" || run.State.Fields["link"] != "https://logs/1" || run.Options["executor"] != "subprocess" {
		t.Errorf("got %+v", run)
	}
	used := run.State.Total().Used
	if len(used) == 0 || used[0].Executor != "subprocess" || used[0].CPUSeconds <= 0 || used[0].MemoryGiBSeconds <= 0 {
		t.Errorf("it used %+v", used)
	}
	record := must(os.ReadFile(filepath.Join(strings.TrimPrefix(info.URI, "file://"), "result")))
	header := bytes.SplitN(record, []byte("\n"), 3)[1]
	var of struct {
		Run struct {
			Fields     map[string]any
			ProgramRun string `json:"program_run"`
		}
	}
	if err := json.Unmarshal(header, &of); err != nil || of.Run.Fields["ticket"] != "ML-17" || of.Run.Fields["rows"] != 5.0 || of.Run.ProgramRun != run.ID {
		t.Errorf("%+v, %v", of, err)
	}
}

// filesIn are the files below a folder.
func filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRunsThatAreNotKept(t *testing.T) {
	for name, options := range map[string][]mops.EnvOption{
		"off": {mops.Off()}, "read only": {mops.ReadOnly()}, "an option": {mops.KeepRun(false)}, "isolated": {mops.Isolated()},
	} {
		dir := t.TempDir()
		env, ctx := newEnv(t, append(options, mops.Root("file://"+dir), mops.CacheDir(t.TempDir()))...)
		if _, err := keptOuter.Call(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := env.Close(); err != nil {
			t.Fatal(err)
		}
		for _, file := range filesIn(t, dir) {
			if strings.Contains(file, "mops1-runs") || name == "off" || name == "read only" {
				t.Errorf("%s leaves %s", name, file)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "mops.toml")
	if err := os.WriteFile(file, []byte("runs = false\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for variable, runs := range map[string]int{"": 0, "on": 1} {
		t.Setenv("MOPS_RUNS", variable)
		root := "file://" + t.TempDir()
		env, ctx := newEnv(t, mops.Config(file), mops.Root(root), mops.CacheDir(t.TempDir()))
		_, err := keptOuter.Call(ctx, 1)
		if err := errors.Join(err, env.Close()); err != nil || len(runsIn(t, root)) != runs { // it is written beside the calls
			t.Errorf("the file, with MOPS_RUNS=%q: %v, %v", variable, runsIn(t, root), err)
		}
	}
	t.Setenv("MOPS_RUNS", "off")
	root := "file://" + t.TempDir()
	env, ctx := newEnv(t, mops.Root(root), mops.CacheDir(t.TempDir()))
	_, err := keptOuter.Call(ctx, 1)
	if err := errors.Join(err, env.Close()); err != nil || len(runsIn(t, root)) != 0 {
		t.Errorf("the variable: %v", err)
	}
	t.Setenv("MOPS_RUNS", "sometimes")
	if _, err := mops.New(t.Context()); err == nil || !strings.Contains(err.Error(), `MOPS_RUNS="sometimes"`) {
		t.Errorf("got %v", err)
	}
	t.Setenv("MOPS_RUNS", "")
	t.Setenv("MOPS_RUN_FIELDS", "ticket")
	if _, err := mops.New(t.Context()); err == nil || !strings.Contains(err.Error(), "MOPS_RUN_FIELDS") {
		t.Errorf("got %v", err)
	}
}

// Where the run cannot be kept, calls go on, and it is said once.
func TestARunThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mops1-runs"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	var log syncbuf.Buffer
	env, ctx := newEnv(t, mops.Root("file://"+dir), mops.LogTo(slog.New(slog.NewTextHandler(&log, nil))))
	for n := range 3 {
		if _, err := keptOuter.Call(ctx, n); err != nil {
			t.Error(err)
		}
	}
	if err := env.Close(); err != nil {
		t.Error(err)
	}
	if said := log.String(); strings.Count(said, "record of this run") != 1 {
		t.Errorf("it says:\n%s", said)
	}
}

// What a program under Main says of its end is kept.
func TestHowAProgramEnded(t *testing.T) {
	cmd := program(t, "main", "1", "-1")
	if _, _, code := run(t, cmd); code != 1 {
		t.Fatalf("exit code %d", code)
	}
	kept := runsIn(t, lookupIn(cmd.Env, "MOPS_ROOT"))
	if len(kept) != 1 || kept[0].Ended == nil || kept[0].Ended.Exit != 1 || !strings.Contains(kept[0].Ended.Error, "-1 is negative") || kept[0].State.Total().Failed != 1 {
		t.Errorf("got %+v", kept[0])
	}
}
