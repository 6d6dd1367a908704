//go:build unix

package mops_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// remote plays another machine: its workers do not get this process's MOPS_
// variables, and find the root at another path.
type remote struct {
	*subprocess.Executor
	from, to string // of the root
	budget   int    // of attempts after one that ran out of memory
	oom      int    // so many attempts run out of memory
	seen     *[]executor.Invocation
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	program := must(os.Executable())
	return &remote{
		Executor: subprocess.New(subprocess.Command("/usr/bin/env", "-u", "MOPS_PIPELINE", program)),
		seen:     new([]executor.Invocation),
	}
}

func (r *remote) RunsRemotely() bool { return true }

func (r *remote) RootFor(root string) string { return strings.Replace(root, r.from, r.to, 1) }

func (r *remote) MayRetry(failed []executor.Reason) bool {
	return failed[len(failed)-1] == executor.OOMKilled && len(failed) <= r.budget
}

func (r *remote) Start(ctx context.Context, inv executor.Invocation) (executor.Worker, error) {
	*r.seen = append(*r.seen, inv)
	if len(*r.seen) <= r.oom {
		return nil, &executor.Error{Reason: executor.OOMKilled, Message: "it had 1 KiB"}
	}
	return r.Executor.Start(ctx, inv)
}

func TestARemoteWorkerGoesByItsCallersSettings(t *testing.T) {
	silence(t)
	t.Setenv("MOPS_PIPELINE", "said-here")
	dir, there := t.TempDir(), filepath.Join(t.TempDir(), "there")
	if err := os.Symlink(dir, there); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mops.toml")
	if err := os.WriteFile(path, []byte("[function.\"test/inner\"]\nexecutor = \"subprocess\""), 0o666); err != nil {
		t.Fatal(err)
	}
	at := newRemote(t)
	at.from, at.to = dir, there
	_, ctx := newEnv(t, mops.Config(path), mops.Root("file://"+dir))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	all, err := visits.With(mops.On(at)).Call(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all[1:] {
		if !strings.HasPrefix(v.URI, "file://"+there+"/mops1/said-here/") {
			t.Errorf("a nested call of a remote worker is at %s", v.URI)
		}
	}
	if all[0].PID == all[1].PID {
		t.Error("the config file says that it runs in a subprocess")
	}
}

// last prints, and ends its process in some way.
var last = mops.Define("test/last-words", func(ctx context.Context, way string) (int, error) {
	fmt.Println("last words")
	switch way {
	case "crash":
		go func() { panic("crashed in a goroutine") }()
		select {}
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "exit":
		os.Exit(9)
	case "error":
		return 0, errors.New("its own error")
	}
	return 1, nil
})

// logs is all that workers printed, as kept below a memo URI.
func logs(t *testing.T, uri string) (log string) {
	t.Helper()
	store, err := blob.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(info.Key, ".log/") {
			continue
		}
		chunk, _, err := store.ReadAll(t.Context(), info.Key, nil)
		if err != nil {
			t.Fatal(err)
		}
		log += string(chunk)
	}
	return log
}

func TestARemoteWorkerKeepsItsLogHoweverItEnds(t *testing.T) {
	silence(t)
	dir := t.TempDir()
	_, ctx := newEnv(t, mops.Root("file://"+dir))
	for way, want := range map[string]struct {
		reason executor.Reason
		log    string
	}{
		"":      {"", "last words\n"},
		"error": {"", "last words\n"},
		"crash": {executor.WorkerFailed, "panic: crashed in a goroutine"},
		"kill":  {executor.Signalled, "was killed by SIGKILL"},
		"exit":  {executor.WorkerFailed, "exit code 9"},
	} {
		_, info, err := last.With(mops.On(newRemote(t))).Do(ctx, way)
		failed, isExec := errors.AsType[*mops.ExecError](err)
		switch {
		case want.reason != "" && (!isExec || failed.Reason != want.reason):
			t.Errorf("%q: %v, want %s", way, err, want.reason)
		case want.reason == "" && isExec:
			t.Errorf("%q: %v", way, err)
		}
		log := logs(t, info.URI)
		if !strings.Contains(log, want.log) || strings.Count(log, "last words") != 1 {
			t.Errorf("%q: the log is %q", way, log)
		}
	}
}

func TestAnExecutorHasBudgetsOfItsOwn(t *testing.T) {
	silence(t)
	_, ctx := newEnv(t, mops.Root("file://"+t.TempDir()))
	at := newRemote(t)
	at.budget, at.oom = 2, 2
	if _, err := programDouble.With(mops.On(at)).Call(ctx, 21); err != nil {
		t.Fatal(err)
	}
	if len(*at.seen) != 3 || len((*at.seen)[2].Failed) != 2 || (*at.seen)[2].Attempt != 3 {
		t.Errorf("%+v", *at.seen)
	}
	at = newRemote(t)
	at.budget, at.oom = 1, 2
	_, err := programDouble.With(mops.On(at), mops.Timeout(time.Minute)).Call(ctx, 22)
	if failed, ok := errors.AsType[*mops.ExecError](err); !ok || failed.Reason != executor.OOMKilled || len(*at.seen) != 2 {
		t.Errorf("%v after %d attempts", err, len(*at.seen))
	}
}
