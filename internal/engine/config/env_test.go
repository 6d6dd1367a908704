package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
}

func TestFromEnv(t *testing.T) {
	got, err := FromEnv(environment(map[string]string{
		"MOPS_ROOT": "s3://bucket/x", "MOPS_PIPELINE": "p", "MOPS_EXECUTOR": "cluster", "MOPS_OFF": "0",
		"MOPS_REFRESH": "Yes", "MOPS_READ_ONLY": "off", "MOPS_REQUIRE_RESULTS": "false", "MOPS_KEEP_ERRORS": " 1 ",
		"MOPS_TIMEOUT": "1h30m", "MOPS_RETRIES": "3", "MOPS_STORAGE_TTL": "30d", "MOPS_CODE_CHECK": "recompute",
	}))
	want := Settings{
		Root: of("s3://bucket/x"), Pipeline: of("p"), Executor: of("cluster"), Off: of(false),
		Refresh: of(true), ReadOnly: of(false), RequireResults: of(false), KeepErrors: of(true),
		Timeout: of(90 * time.Minute), Retries: of(3), StorageTTL: of(30 * 24 * time.Hour), CodeCheck: of(code.Recompute),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = FromEnv(environment(map[string]string{"MOPS_ROOT": ""}))
	if err != nil || got != (Settings{}) {
		t.Errorf("an empty variable must be as good as none: %+v, %v", got, err)
	}
}

func TestFromEnvMistakes(t *testing.T) {
	_, err := FromEnv(environment(map[string]string{
		"MOPS_ROOT": "data", "MOPS_OFF": "maybe", "MOPS_RETRIES": "many", "MOPS_TIMEOUT": "3", "MOPS_PIPELINE": "a b",
	}))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`MOPS_ROOT="data": not a URI; write one such as`,
		`MOPS_OFF="maybe": neither yes nor no; write true or false`,
		`MOPS_RETRIES="many": not a whole number; write one from 0 to 1000`,
		`MOPS_TIMEOUT="3": not a duration; write one such as "90s"`,
		`MOPS_PIPELINE="a b": "a b" has ' ', and only letters`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in:\n%s", want, err)
		}
	}
	_, err = FromEnv(environment(map[string]string{"MOPS_REFRESH": "1", "MOPS_REQUIRE_RESULTS": "1"}))
	if err == nil || !strings.Contains(err.Error(), "MOPS_REFRESH and MOPS_REQUIRE_RESULTS contradict each other") {
		t.Errorf("got %v", err)
	}
}

func TestTimeToLive(t *testing.T) {
	for text, want := range map[string]time.Duration{"30d": 720 * time.Hour, " 1d ": 24 * time.Hour, "36h": 36 * time.Hour, "0d": 0, "0s": 0} {
		got, err := FromEnv(environment(map[string]string{"MOPS_STORAGE_TTL": text}))
		if err != nil || *got.StorageTTL != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"30", "-1d", "d", "1.5d", "1e9d", "99999999999999999999d", "soon", "-5h"} {
		_, err := FromEnv(environment(map[string]string{"MOPS_STORAGE_TTL": text}))
		if err == nil || !strings.Contains(err.Error(), `MOPS_STORAGE_TTL="`+text+`": no time to live; write days`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCacheSize(t *testing.T) {
	for text, want := range map[string]int64{"": -1, "50GiB": 50 << 30, "0B": 0} {
		size, found, err := CacheSize(environment(map[string]string{"MOPS_CACHE_SIZE": text}))
		if err != nil || found != (want >= 0) || found && size != want {
			t.Errorf("%q: %d, %v, %v", text, size, found, err)
		}
	}
	for _, text := range []string{"512", "much", "off"} {
		_, _, err := CacheSize(environment(map[string]string{"MOPS_CACHE_SIZE": text}))
		if err == nil || !strings.Contains(err.Error(), `MOPS_CACHE_SIZE="`+text+`": not a size; write one with its unit, such as "50GiB"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadCache(t *testing.T) {
	for text, want := range map[string]int64{
		"off": 0, "0": 0, "No": 0, "": -1, "on": -1, "1": -1,
		"512MiB": 512 << 20, "4 gb": 4e9, "1.5GiB": 3 << 29, "0MiB": 0, "100 B": 100, "2TiB": 2 << 40,
	} {
		size, found, err := ReadCache(environment(map[string]string{"MOPS_READ_CACHE": text}))
		if err != nil || found != (want >= 0) || found && size != want {
			t.Errorf("%q: %d, %v, %v", text, size, found, err)
		}
	}
	for _, text := range []string{"512", "much", "-1GiB", "1e30GiB", "GiB", "nan B", "1 XiB", "1GG"} {
		_, _, err := ReadCache(environment(map[string]string{"MOPS_READ_CACHE": text}))
		if err == nil || !strings.Contains(err.Error(), `MOPS_READ_CACHE="`+text+`": not a size; write one with its unit, such as "512MiB"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whoever adds a field to Settings adds its key.
func TestEveryFieldIsASetting(t *testing.T) {
	if fields := reflect.TypeFor[Settings]().NumField(); fields != len(settings) {
		t.Errorf("%d fields, %d settings", fields, len(settings))
	}
}

func TestUnknown(t *testing.T) {
	got := Unknown([]string{
		"PATH=/bin", "MOPS_ROOT=x", "MOPS_CONFIG=x", "MOPS_WORKER=x", "MOPS_WORKER_LEASE=x", "MOPS_SOAK=1", "MOPSY=1",
		"MOPS_PIPLINE=secret", "MOPS_GREETING=hello", "MOPS_=",
		"MOPS_K8S_QUEUE=x", "MOPS_K8S_NAMESPACE=x", "MOPS_K8S_NODE=x", "MOPS_K8S_IMAGE=x", "MOPS_K8S_LOGS=x", "MOPS_K8S_NAMSPACE=x",
	})
	want := []string{
		`the environment variable "MOPS_" is no setting of mops and has no effect`,
		`the environment variable "MOPS_GREETING" is no setting of mops and has no effect`,
		`the environment variable "MOPS_K8S_NAMSPACE" is no setting of mops and has no effect; did you mean MOPS_K8S_NAMESPACE?`,
		`the environment variable "MOPS_PIPLINE" is no setting of mops and has no effect; did you mean MOPS_PIPELINE?`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s", strings.Join(got, "\n"))
	}
}

func TestExecutorsFromEnv(t *testing.T) {
	said := map[string]string{
		"MOPS_K8S_QUEUE": "night", "MOPS_K8S_RETRIES": " 2", "MOPS_K8S_SPOT": "yes", "MOPS_K8S_TTL": "2h", "MOPS_K8S_NODE_SELECTOR": "pool=a, zone=b",
		"MOPS_K8S_PULL_SECRETS": "a,b", "MOPS_K8S_NAMESPACE": "", "MOPS_K8S_MEMORY_FROM_HISTORY": "off", "MOPS_K8S_MEMORY_FROM": "k8s.Memory", "MOPS_K8S_MEMORY_LIMIT": "67108864", "MOPS_K8S_CPU_LIMIT": "1500", "MOPS_K8S_STOP_GRACE": "10", "MOPS_K8S_IMAGE": "own:1",
	}
	lookup := func(name string) (string, bool) { text, ok := said[name]; return text, ok }
	got, err := ExecutorsFromEnv(lookup)
	want := Executors{"k8s": {
		"queue": {"night"}, "retries": {"2"}, "spot": {"true"}, "ttl": {"2h0m0s"}, "node_selector": {"pool=a", "zone=b"}, "pull_secrets": {"a", "b"}, "memory_from_history": {"0"},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	over := got.Overlay(Executors{"k8s": {"queue": {"day"}}})
	if over["k8s"]["queue"][0] != "day" || over["k8s"]["spot"] == nil || got["k8s"]["queue"][0] != "night" {
		t.Errorf("%v on top of %v", over, got)
	}
	said = map[string]string{"MOPS_K8S_RETRIES": "many", "MOPS_K8S_LABELS": "team", "MOPS_K8S_NODE_SELECTOR": "pool=a b", "MOPS_K8S_MEMORY_FROM_HISTORY": "NaN"}
	_, err = ExecutorsFromEnv(lookup)
	for _, want := range []string{
		`MOPS_K8S_RETRIES="many": not a whole number; write a whole number from 0 to 1000`,
		`MOPS_K8S_MEMORY_FROM_HISTORY="NaN": no percentile; write a number from 50 to 100`,
		`MOPS_K8S_LABELS="team": not all of it has the form name=value`, `MOPS_K8S_NODE_SELECTOR="pool=a b": pool: no label's value`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
