package mops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/executor"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
)

// withConfig is a context under a config file of that text.
func withConfig(t *testing.T, text string, options ...mops.EnvOption) context.Context {
	t.Helper()
	_, ctx := newEnv(t, append([]mops.EnvOption{configFile(t, text), memoryRoot(t)}, options...)...)
	return ctx
}

func configFile(t *testing.T, text string) mops.EnvOption {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mops.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return mops.Config(path)
}

func pipelineOf(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	f := mops.Define(name, double, private())
	_, info, err := f.Do(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info.URI, "/mops1/")
	pipeline, _, _ := strings.Cut(rest, "/")
	return pipeline
}

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

func TestTheLongestPrefixWins(t *testing.T) {
	ctx := withConfig(t, `
		pipeline = "all"
		[function."a/b/c"]
		pipeline = "abc"
		[function."a"]
		pipeline = "a"
		[function."a/b"]
		pipeline = "ab"
	`)
	for name, want := range map[string]string{
		"a": "a", "a/x": "a", "a/b": "ab", "a/b/x": "ab", "a/b/c": "abc", "a/b/c/d": "abc",
		"ab": "all", "a.b": "all", "x/a": "all", // a prefix consists of whole segments
	} {
		if got := pipelineOf(t, ctx, name); got != want {
			t.Errorf("%s: pipeline %s, want %s", name, got, want)
		}
	}
}

func TestAForcedShortPrefixBeatsAPlainLongOne(t *testing.T) {
	ctx := withConfig(t, `
		[function."a"]
		pipeline = "forced"
		force = true
		[function."a/b"]
		pipeline = "plain"
	`)
	if got := pipelineOf(t, ctx, "a/b"); got != "forced" {
		t.Errorf("pipeline %s", got)
	}
}

func TestASubtreeIsSwitchedOff(t *testing.T) {
	ctx := withConfig(t, `
		[function."a/b"]
		off = true
	`)
	var runs int
	run := func(_ context.Context, n int) (int, error) { runs++; return n, nil }
	for name, want := range map[string]int{"a/b/c": 2, "a/c": 1} {
		f := mops.Define(name, run, private())
		runs = 0
		for range 2 {
			if _, err := f.Call(ctx, 1); err != nil {
				t.Fatal(err)
			}
		}
		if runs != want {
			t.Errorf("%s ran %d times, want %d", name, runs, want)
		}
	}
}

func TestExecutorsAreChosenByName(t *testing.T) {
	byFile, byVariable := newTally(), newTally()
	t.Setenv("MOPS_EXECUTOR", "")
	config := "[function.\"far\"]\nexecutor = \"file\""
	options := []mops.EnvOption{mops.Executor("file", byFile), mops.Executor("variable", byVariable)}
	far, near := mops.Define("far", double, private()), mops.Define("near", double, private())

	ctx := withConfig(t, config, options...)
	must(far.Call(ctx, 1))
	must(near.Call(ctx, 1))
	if n := byFile.started.Load(); n != 1 {
		t.Errorf("the executor of the config file started %d functions, want 1", n)
	}
	t.Setenv("MOPS_EXECUTOR", "variable")
	ctx = withConfig(t, config, options...)
	must(far.Call(ctx, 2))
	must(near.Call(ctx, 2))
	if n := byVariable.started.Load(); n != 2 {
		t.Errorf("the executor of MOPS_EXECUTOR started %d functions, want 2", n)
	}
}

func TestExecutorsAreToldWhatFileAndVariablesSayOfThem(t *testing.T) {
	silence(t)
	t.Setenv("MOPS_K8S_QUEUE", "night")
	far := &configurable{remote: newRemote(t), name: "k8s"}
	other := &configurable{remote: newRemote(t), name: "other"}
	_, ctx := newEnv(t, configFile(t, "[k8s]\naad_pod_identity = \"reader\"\nlimit = 1"), mops.Root("file://"+t.TempDir()))
	for _, e := range []*configurable{far, other} {
		for i := range 2 {
			if _, err := visits.With(mops.On(e)).Call(ctx, fmt.Sprint(e.name, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := executor.Settings{File: map[string][]string{"aad_pod_identity": {"reader"}, "limit": {"1"}}, Environ: map[string][]string{"queue": {"night"}}}
	if !reflect.DeepEqual(far.told, want) || !reflect.DeepEqual(other.told, executor.Settings{}) {
		t.Errorf("they were told %+v and %+v", far.told, other.told)
	}
	if inv := (*far.seen)[0]; inv.Pipeline != "default" {
		t.Errorf("the pipeline is %q", inv.Pipeline)
	}
}

// configurable is an executor by another name, which heeds settings.
type configurable struct {
	*remote
	name string
	told executor.Settings
}

func (c *configurable) Name() string { return c.name }

func (c *configurable) Configured(by executor.Settings) executor.Executor {
	c.told = by
	return named{c.remote, c.name}
}

// named is an executor by another name.
type named struct {
	*remote
	name string
}

func (n named) Name() string { return n.name }

func TestAnUnknownExecutorIsNamedWithThoseThereAre(t *testing.T) {
	ctx := withConfig(t, "executor = \"cluster\"", mops.Executor("mine", newTally()))
	_, err := mops.Define("f", double, private()).Call(ctx, 1)
	mentions(t, err, `"cluster"`, "inproc, mine, subprocess", "mops.Executor")
}

func TestAnExecutorNeedsAProperName(t *testing.T) {
	if message := panics(t, func() { mops.Executor("my cluster", newTally()) }); !strings.Contains(message, "my cluster") {
		t.Error(message)
	}
	if message := panics(t, func() { mops.Executor("mine", nil) }); !strings.Contains(message, "nil") {
		t.Error(message)
	}
	// Where nothing travels through a store, functions run in this process.
	if message := panics(t, func() { mops.Executor("inproc", subprocess.New()) }); !strings.Contains(message, "this process") {
		t.Error(message)
	}
	ctx := withConfig(t, "", mops.Executor("inproc", newTally()))
	if _, err := mops.Define("f", double, private(), mops.Off()).Call(ctx, 1); err != nil {
		t.Error(err)
	}
}

func TestAWrongConfigFileFailsWhenTheProgramStarts(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		says []string
	}{
		"unknown key":   {"pipeline = \"a\"\n\nexecuter = \"x\"", []string{"mops.toml:3:", "executer", "executor"}},
		"wrong type":    {"[function.\"f\"]\nretries = \"two\"", []string{"mops.toml:2:", "retries", "whole number"}},
		"contradiction": {"[function.\"f\"]\noff = true\nexecutor = \"inproc\"", []string{"mops.toml:3:", "off (line 2)", "executor (line 3)"}},
		"two entries":   {"[function.\"f\"]\noff = true\n[function.\"f/\"]\noff = false", []string{"mops.toml:3:", "line 1"}},
		"no TOML":       {"pipeline = forecast", []string{"mops.toml:1:", "quotes"}},
	} {
		_, err := mops.New(t.Context(), configFile(t, test.text))
		if err == nil {
			t.Errorf("%s: there is no error", name)
			continue
		}
		mentions(t, err, test.says...)
	}
	_, err := mops.New(t.Context(), mops.Config(filepath.Join(t.TempDir(), "absent.toml")))
	mentions(t, err, "absent.toml", "Config or MOPS_CONFIG")
}

func TestAWrongVariableFailsWhenTheProgramStarts(t *testing.T) {
	t.Setenv("MOPS_RETRIES", "often")
	_, err := mops.New(t.Context(), mops.Root("mem://x"))
	mentions(t, err, "MOPS_RETRIES", `"often"`, "whole number")
}

func TestNothingAroundHasASayInAnIsolatedEnvironment(t *testing.T) {
	t.Setenv("MOPS_PIPELINE", "around")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("mops.toml", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, ctx := newEnv(t, mops.Isolated(), memoryRoot(t))
	if got := pipelineOf(t, ctx, "f"); got != mops.DefaultPipeline {
		t.Errorf("pipeline %s", got)
	}
}

func TestACacheSizeThatIsNone(t *testing.T) {
	t.Setenv("MOPS_CACHE_SIZE", "plenty")
	_, err := mops.New(t.Context(), mops.Root("mem://x"))
	mentions(t, err, `MOPS_CACHE_SIZE="plenty"`, "50GiB")
	newEnv(t, mops.Root("mem://x"), mops.CacheSize(1<<30), mops.CacheDir(t.TempDir())) // nobody reads the variable
}
