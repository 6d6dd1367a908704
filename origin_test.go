package mops_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/inproc"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// heard is what a test prints on standard error from now on, with one space between
// words.
func heard(t *testing.T) func() string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	t.Cleanup(func() { os.Stderr = stderr; file.Close() })
	return func() string {
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.SplitSeq(string(text), "\n") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
}

// Each setting is shown with its value and with what set it, among all places.
func TestTheProgramShowsItsSettings(t *testing.T) {
	said := heard(t)
	for name, value := range map[string]string{"MOPS_CONFIG_SHOW": "1", "MOPS_RETRIES": "9", "MOPS_CACHE_SIZE": "5GiB"} {
		t.Setenv(name, value)
	}
	registry := mops.In(mops.NewRegistry())
	clean := mops.Define("forecast/clean", double, registry, mops.Pipeline("defined"), mops.On(subprocess.New()))
	mops.Define("forecast/train", double, registry, mops.Pipeline("defined"), mops.KeepErrors(),
		mops.ByInput(func(int) executor.Executor { return inproc.New() }))
	_, ctx := newEnv(t, registry, memoryRoot(t), mops.RetryDelay(2*time.Second), mops.Retries(1), mops.CacheDir(t.TempDir()),
		mops.CacheSize(3<<30), mops.Force(mops.InProcess()), mops.LogTo(slog.New(slog.DiscardHandler)), configFile(t, `
timeout = "2h"
[function.forecast]
pipeline = "entry"
storage_ttl = "30d"
[function."forecast/train"]
pipeline = "forced"
force = true
[k8s]
queue = "night"
`))
	all, functions, _ := strings.Cut(said(), "\nforecast/clean\n")
	own, train, _ := strings.Cut(functions, "\nforecast/train\n")
	train, rest, _ := strings.Cut(train, "\n\n")
	for part, lines := range map[string][]string{
		all: {
			"mops.toml (by mops.Config)", "pipeline default default", "executor in this process mops.InProcess", "timeout 2h mops.toml:2",
			"retries 9 MOPS_RETRIES", "retry_delay 2s mops.Main or mops.New",
		},
		own:   {"pipeline defined mops.Define", `storage_ttl 720h mops.toml:5 [function."forecast"]`},
		train: {`pipeline forced mops.toml:7 [function."forecast/train"], force`, "keep_errors true mops.Define"},
		rest:  {"cache_size 3GiB mops.Main or mops.New", "plan false default", "queue night mops.toml:10"},
	} {
		for _, line := range lines {
			if !strings.Contains("\n"+part+"\n", line+"\n") {
				t.Errorf("%q is missing in\n%s", line, part)
			}
		}
	}

	before := len(said())
	for range 2 { // said once
		ctx := mops.WithOptions(ctx, mops.Timeout(time.Minute), mops.Retries(2), mops.KeepErrors())
		_, info, err := clean.With(mops.Pipeline("with"), mops.Refresh()).Do(ctx, 1)
		if err != nil || !strings.Contains(info.URI, "/mops1/with/") {
			t.Errorf("%s, %v", info.URI, err)
		}
	}
	want := "settings of a call of forecast/clean\npipeline with With, All or Each\nrefresh true With, All or Each\n" +
		"keep_errors true mops.WithOptions\ntimeout 1m mops.WithOptions\n"
	if got := said()[before:]; got != want {
		t.Errorf("the calls: %s\nwant: %s", got, want)
	}
}

// What off and read_only do to the executor is said, and nothing is said that nobody
// asked for.
func TestWhereCallsOfReadersRun(t *testing.T) {
	said := heard(t)
	newEnv(t, memoryRoot(t), mops.ReadOnly())
	if got := said(); got != "" {
		t.Error(got)
	}
	t.Setenv("MOPS_CONFIG_SHOW", "yes")
	newEnv(t, memoryRoot(t), mops.ReadOnly(), mops.On(subprocess.New()))
	if got := said(); !strings.Contains(got, "\nexecutor inproc off or read_only\n") {
		t.Error(got)
	}
	t.Setenv("MOPS_CONFIG_SHOW", "maybe")
	if _, err := mops.New(t.Context()); err == nil || !strings.Contains(err.Error(), `MOPS_CONFIG_SHOW="maybe"`) {
		t.Errorf("%v", err)
	}
}

func TestEntriesThatNoFunctionHeedsAreSaid(t *testing.T) {
	said := heard(t)
	registry := mops.In(mops.NewRegistry())
	mops.Define("forecast/clean", double, registry)
	withConfig(t, "[function.\"forecats\"]\nretries = 1\n[function.billing]\nretries = 1\n[function.forecast]\nretries = 1", registry)
	got := said()
	if strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, `did you mean \"forecast\"?`) {
		t.Error(got)
	}
	if strings.Count(got, "level=INFO") != 1 || !strings.Contains(got, `about no function of this program: \"billing\" (line 3)`) {
		t.Error(got)
	}
}

// The file of a project holds in its folders, and one beyond the project is not read.
func TestTheFileIsFoundUpwards(t *testing.T) {
	said := heard(t)
	top := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(top, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("repo/cmd/main.go", "")
	put("repo/.git/HEAD", "")
	put("mops.toml", `pipeline = "beyond"`)
	t.Chdir(filepath.Join(top, "repo/cmd"))
	pipeline := func() string {
		_, ctx := newEnv(t, memoryRoot(t))
		return pipelineOf(t, context.WithoutCancel(ctx), "f")
	}
	if got := pipeline(); got != "default" || !strings.Contains(said(), "it lies above the repository") {
		t.Errorf("beyond the repository: %s, %s", got, said())
	}
	put("repo/mops.toml", `pipeline = "project"`)
	if got := pipeline(); got != "project" {
		t.Errorf("in a project: %s", got)
	}
}
