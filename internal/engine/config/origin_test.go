package config

import (
	"strings"
	"testing"
)

const layered = `root = "s3://user:hidden@bucket/path?sig=hidden"
timeout = "2h"

[function.forecast]
pipeline = "nightly"
retries = 1

[function."forecast/train/"]
pipeline = "models"
force = true

[function."forecats/clean"]
retries = 2

[function."billing"]
retries = 2

[k8s]
queue = "night"
room_grace = "forever"
host_paths = { "/data" = "/mnt/a?hidden", "/more" = "/mnt/b" }
`

func TestOrigins(t *testing.T) {
	file := parse(t, layered)
	variables := Settings{Retries: of(7)}
	origins := func(function string, code Settings) map[string]string {
		forced, plain := file.Levels(function)
		levels := append(append([]Level{Variables(variables)}, forced...), Place("code", code))
		got := map[string]string{}
		for _, o := range Origins(append(levels, plain...)) {
			got[o.Setting] = o.Value + " " + o.From
		}
		if len(got) != len(settings) {
			t.Errorf("there are %d settings", len(got))
		}
		return got
	}
	for function, want := range map[string]map[string]string{
		"": {"root": "s3://…@bucket/path?… mops.toml:1", "pipeline": "default default", "timeout": "2h mops.toml:2", "retry_delay": "100ms default"},
		"forecast/clean": {
			"pipeline": `nightly mops.toml:5 [function."forecast"]`, "retries": "7 MOPS_RETRIES", "off": "true code",
		},
		"forecast/train/deep": {"pipeline": `models mops.toml:9 [function."forecast/train"], force`},
	} {
		code := Settings{Off: of(true)}
		got := origins(function, code)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%q: %s is %q, want %q", function, key, got[key], value)
			}
		}
	}
}

// Nothing that is shown has a secret in it, mistakes included.
func TestSecretsAreNotShown(t *testing.T) {
	for text, want := range map[string]string{
		"file:///data/mops":                   "file:///data/mops",
		"adls://account/container/path?sig=h": "adls://account/container/path?…",
		"s3://user:p?a#s@s@bucket":            "s3://…@bucket",
		"s3:/x?sig=h":                         "s3:/x?…",
		"me@example.com":                      "me@example.com",
	} {
		if got := Public(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	lookup := func(name string) (string, bool) {
		return map[string]string{"MOPS_ROOT": "s3:/u:hidden?sig=hidden", "MOPS_K8S_RUN_AS": "?hidden"}[name], true
	}
	_, err := FromEnv(func(name string) (string, bool) {
		return map[string]string{"MOPS_ROOT": "s3:/bucket?sig=hidden"}[name], true
	})
	_, errExecutors := ExecutorsFromEnv(lookup)
	_, errFile := Parse("mops.toml", []byte(`root = "s3:/bucket?sig=hidden"`))
	for _, err := range []error{err, errExecutors, errFile} {
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	}
	var all strings.Builder
	file := parse(t, layered)
	report := NewReport(Found{Path: "mops.toml"}, file, func(name string) (string, bool) {
		return map[string]string{"MOPS_RUN_FIELDS": "log=https://logs/?sig=hidden", "MOPS_K8S_QUEUE": "day", "MOPS_K8S_IMAGE": "i:1"}[name], true
	}, map[string]string{"MOPS_CACHE": "/cache"})
	_, plain := file.Levels("")
	report.Settings = Origins(plain)
	report.Write(&all)
	if got := all.String(); strings.Contains(got, "hidden") {
		t.Error(got)
	}
	for _, line := range []string{
		"cache       /cache               mops.Main or mops.New", "run_fields  log=https://logs/?…  MOPS_RUN_FIELDS",
		"queue       day                         MOPS_K8S_QUEUE", "room_grace  forever                     mops.toml:20",
		"host_paths  /data=/mnt/a?…, /more=/mnt/b  mops.toml:21", "image       i:1                         MOPS_K8S_IMAGE",
	} {
		if !strings.Contains(squeezed(all.String()), squeezed(line)) {
			t.Errorf("%q is missing in\n%s", line, all.String())
		}
	}
}

func squeezed(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestUnmatched(t *testing.T) {
	mistakes, others := parse(t, layered).Unmatched([]string{"forecast/clean", "forecast/train/deep"})
	if len(mistakes) != 1 || mistakes[0] != `mops.toml:12: [function."forecats/clean"] is about no function of this program; did you mean "forecast/clean"?` {
		t.Errorf("%q", mistakes)
	}
	if others != `mops.toml has entries about no function of this program: "billing" (line 15)` {
		t.Error(others)
	}
	if mistakes, others := parse(t, whole).Unmatched([]string{"forecast/train/deep/er"}); mistakes != nil || others != "" {
		t.Errorf("%q %q", mistakes, others)
	}
}

func TestSizesAreReadAsWritten(t *testing.T) {
	for _, n := range []int64{0, 1, 1 << 10, 1<<30 + 1, 20 << 30, 1000, 3 << 40} {
		if got, ok := textToSize(Size(n)); !ok || got != n {
			t.Errorf("%d is %s", n, Size(n))
		}
	}
}
