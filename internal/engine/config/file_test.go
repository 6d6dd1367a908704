package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func of[T any](v T) *T { return &v }

const whole = `# all of it
root = "file:///data/mops"
pipeline = "forecast"
read_only = false

[function."forecast"]
executor = "small"
keep_errors = true
retries = 2

[function."forecast/train"]
executor = "cluster"
timeout = "2h"
force = true

[function."forecast/train/deep"]
executor = "gpu"
`

func parse(t *testing.T, text string) *File {
	t.Helper()
	file, err := Parse("mops.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestParse(t *testing.T) {
	want := &File{
		Path:     "mops.toml",
		Defaults: Settings{Root: of("file:///data/mops"), Pipeline: of("forecast"), ReadOnly: of(false)},
		Entries: []Entry{
			{Prefix: "forecast", Line: 6, Settings: Settings{Executor: of("small"), KeepErrors: of(true), Retries: of(2)}},
			{Prefix: "forecast/train", Line: 11, Force: true, Settings: Settings{Executor: of("cluster"), Timeout: of(2 * time.Hour)}},
			{Prefix: "forecast/train/deep", Line: 16, Settings: Settings{Executor: of("gpu")}},
		},
	}
	for name, text := range map[string]string{
		"plain":           whole,
		"CRLF":            strings.ReplaceAll(whole, "\n", "\r\n"),
		"byte order mark": "\xef\xbb\xbf" + whole,
	} {
		got := parse(t, text)
		want.lines = got.lines // Levels shows them
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

func TestTablesOfExecutors(t *testing.T) {
	file := parse(t, whole+`
[k8s]
workload_identity_account = "worker"
workload_identity_namespaces = ["forecast", "data"]
aad_pod_identity = "Reader"
retries = 3
spot = true
ttl = "7d"
room_grace = "forever"
logs = "none"
run_as = "1000:1000"
env = { B = 2, A = "x=1" }
node_in = { zone = ["c"], pool = ["a", "b"] }

[k8s.claims]
"/data" = "shared"
`)
	want := Executors{"k8s": {
		"workload_identity_account": {"worker"}, "workload_identity_namespaces": {"forecast", "data"}, "aad_pod_identity": {"Reader"},
		"retries": {"3"}, "spot": {"true"}, "ttl": {"168h0m0s"}, "room_grace": {"-1s"}, "logs": {"0"}, "run_as": {"1000:1000"},
		"env": {"A=x=1", "B=2"}, "node_in": {"pool=a,b", "zone=c"}, "claims": {"/data=shared"},
	}}
	if !reflect.DeepEqual(file.Executors, want) {
		t.Errorf("got %+v", file.Executors)
	}
}

// The page has each setting with its variable.
func TestSettingsOfExecutorsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "| `"+keepRunsVariable+"` | `mops.KeepRun` |") || !strings.Contains(string(page), "`runs = false`") {
		t.Error("docs/configuration.md: runs or its variable is missing")
	}
	for name, entries := range tables {
		for key, e := range entries {
			variable := "| `" + entryVariable(name, key) + "` |"
			if !strings.Contains(string(page), "| `"+key+"` |") || strings.Contains(string(page), variable) != (e.fromText != nil || key == "logs") {
				t.Errorf("docs/configuration.md: %s of [%s] or its variable is missing, or has none", key, name)
			}
		}
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "\n\n# nothing\n", "[function]\n"} {
		got := parse(t, text)
		if want := (&File{Path: "mops.toml", lines: got.lines}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestLongestPrefixWinsPerSetting(t *testing.T) {
	file := parse(t, whole+`
[function.""]
timeout = "1m"
retries = 9
`)
	all := Settings{
		Root: of("file:///data/mops"), Pipeline: of("forecast"), ReadOnly: of(false),
		Timeout: of(time.Minute), Retries: of(9),
	}
	below := all.Overlay(Settings{Executor: of("small"), KeepErrors: of(true), Retries: of(2)})
	force := Settings{Executor: of("cluster"), Timeout: of(2 * time.Hour)}
	for _, test := range []struct {
		function      string
		plain, forced Settings
	}{
		{"other", all, Settings{}},
		{"forecaster", all, Settings{}},
		{"forecast-x/train", all, Settings{}},
		{"forecast", below, Settings{}},
		{"forecast/trainer", below, Settings{}},
		{"forecast/train", below, force},
		{"forecast/train/fast", below, force},
		{"forecast/train/deep", below.Overlay(Settings{Executor: of("gpu")}), force},
	} {
		plain, forced := file.For(test.function)
		if !reflect.DeepEqual(plain, test.plain) || !reflect.DeepEqual(forced, test.forced) {
			t.Errorf("%s:\ngot  %+v\n     %+v\nwant %+v\n     %+v", test.function, plain, forced, test.plain, test.forced)
		}
	}
	var none *File
	if plain, forced := none.For("x"); plain != (Settings{}) || forced != (Settings{}) {
		t.Error("no file must say nothing")
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my.toml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) ||
		!strings.Contains(err.Error(), "MOPS_CONFIG") {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Load(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "must be a file") {
		t.Errorf("folder: %v", err)
	}
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := Load(path)
	if err != nil || file.Path != path || len(file.Entries) != 3 {
		t.Errorf("got %+v, %v", file, err)
	}
	if err := os.WriteFile(path, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("huge file: %v", err)
	}
}
