package config

import (
	"errors"
	"strings"
	"testing"
)

func TestMistakesNameTheLineAndTheMend(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown setting", "\nread-only = true", "m.toml:2: unknown setting \"read-only\"; did you mean read_only?"},
		{"misspelt setting", "[function.\"a\"]\npipline = \"x\"", "m.toml:2: unknown setting \"pipline\"; did you mean pipeline?"},
		{"far from any setting", "colour = 1", "unknown setting \"colour\"; there are code_check, executor, force, function, keep_errors, off,"},
		{"misspelt table", "[functions.\"a\"]\nretries = 1", `m.toml:1: unknown table "functions"; did you mean [function."name"]?`},
		{"name as a table", "[\"a/b\"]\nretries = 1", `m.toml:1: unknown table "a/b"; write settings for the functions of that name below [function."a/b"]`},
		{"text for a flag", "off = \"true\"", "m.toml:1: off = \"true\": text where true or false belongs; write true or false without quotes"},
		{"flag for text", "root = true", `m.toml:1: root = true: true or false where text belongs; write text in quotes, such as "file:///data/mops"`},
		{"number for a duration", "timeout = 30", `m.toml:1: timeout = 30: a number without a unit; write a duration in quotes, such as "30s"`},
		{"bad duration", "timeout = \"2 hours\"", `m.toml:1: timeout = "2 hours": not a duration; write one such as "90s"`},
		{"negative duration", "timeout = \"-1s\"", `m.toml:1: timeout = "-1s": less than nothing`},
		{"text for a number", "retries = \"3\"", `m.toml:1: retries = "3": text where a number belongs`},
		{"too many retries", "retries = 1000000000000", `out of range; write a whole number from 0 to 1000`},
		{"table for a setting", "root = { a = 1 }", `m.toml:1: root = …: a table where text belongs`},
		{"date for a setting", "executor = 2026-01-01", `a date or time where text belongs`},
		{"path for a root", "root = \"/data\"", `m.toml:1: root = "/data": not a URI; for a folder of this machine write "file:///data"`},
		{"relative file root", "root = \"file://data\"", `the path is not absolute; write three slashes, such as "file:///data"`},
		{"word for a root", "root = \"data\"", `not a URI; write one such as`},
		{"bucketless root", "root = \"s3://\"", `nothing follows "s3://"`},
		{"bad pipeline", "pipeline = \"My Pipeline\"", `and '-' are allowed; try "My-Pipeline"`},
		{"deep pipeline", "pipeline = \"a/b\"", `try "a-b"`},
		{"empty value", "executor = \"\"", `m.toml:1: executor = "": empty; write a value such as "cluster"`},
		{"control characters", "root = \"file:///a\\u001b[2J\"", `control characters`},
		{"same prefix, with a slash", "[function.\"a\"]\nretries = 1\n\n[function.\"a/\"]\nretries = 2",
			`m.toml:4: [function."a/"] covers the same functions as [function."a"] on line 1; make one of the two`},
		{"same prefix twice", "[function.\"a\"]\nretries = 1\n[function.\"a\"]\nretries = 2", "m.toml:3: "},
		{"off and executor", "[function.\"a\"]\nexecutor = \"x\"\n\noff = true",
			"m.toml:4: off (line 4) and executor (line 2) contradict each other: a function that is off runs in the calling process"},
		{"refresh and require_results", "refresh = true\nrequire_results = true", "m.toml:2: refresh (line 1) and require_results (line 2) contradict"},
		{"all functions twice", "retries = 1\n[function.\"\"]\nretries = 2", "m.toml:3: retries is set for all functions on line 1 too; keep one of the two"},
		{"forced top level", "force = true", `m.toml:1: force belongs to an entry for functions`},
		{"text for runs", "runs = \"off\"", `m.toml:1: runs = "off": text where true or false belongs`},
		{"runs of a function", "[function.\"a\"]\nruns = false", `m.toml:2: runs belongs to the whole program; put it at the top of the file`},
		{"force of the wrong type", "[function.\"a\"]\nforce = 1", `m.toml:2: force = 1: a whole number where true or false belongs`},
		{"segments as tables", "[function.forecast.train]\nretries = 1", `m.toml:1: "train" is below "forecast"; write the whole name in one pair of quotes: [function."forecast/train"]`},
		{"unquoted name", "[function.forecast/train]\nretries = 1", `; write a function's name in quotes: [function."forecast/train"]`},
		{"unquoted text", "executor = cluster", `; write text in quotes; only true, false and numbers go without`},
		{"pattern", "[function.\"a/*\"]\nretries = 1", `m.toml:1: [function."a/*"]: there are no patterns; "a" covers all functions below it`},
		{"capital letters", "[function.\"Train\"]\nretries = 1", `m.toml:1: [function."Train"]: this is no function's name: "Train" has 'T', and only`},
		{"empty segment", "[function.\"a//b\"]\nretries = 1", `it is empty; try "a/x/b"`},
		{"deep name", "[function.\"a/b/c/d/e/f/g\"]\nretries = 1", `it has 7 segments, and at most 6 are allowed`},
		{"setting of no function", "[function]\nretries = 1", `m.toml:2: retries is a setting of no function`},
		{"misspelt setting of an executor", "[k8s]\naad_pod_idenity = \"x\"", `m.toml:2: unknown setting "aad_pod_idenity" below [k8s]; did you mean aad_pod_identity?`},
		{"setting of no executor", "[k8s]\ncolour = \"x\"", `m.toml:2: unknown setting "colour" below [k8s]; docs/configuration.md lists them, and all else`},
		{"quantity", "[k8s]\nmemory = \"4GB\"", `m.toml:2: memory = "4GB": no quantity; write one such as "500m", "2" or "4Gi"`},
		{"number for a quantity", "[k8s]\ncpu = 2", `m.toml:2: cpu = 2: a whole number where text belongs`},
		{"word for a policy", "[k8s]\npull_policy = \"always\"", `m.toml:2: pull_policy = "always": unknown; write one of ["Always" "IfNotPresent" "Never"]`},
		{"user without a group", "[k8s]\nrun_as = \"1000\"", `m.toml:2: run_as = "1000": no user and group`},
		{"text for a table", "[k8s]\nlabels = \"team\"", `m.toml:2: labels = "team": text where a table belongs; write it as { "team" = "weather" }`},
		{"entry of a table", "[k8s]\nspot = true\n[k8s.node_selector]\nzone = \"a\"\npool = \"a b\"", `m.toml:5: node_selector: pool: no label's value`},
		{"empty choices", "[k8s.node_in]\npool = []", `m.toml:2: node_in: pool: empty; write them as ["a100", "h100"]`},
		{"platform", "[k8s]\nplatforms = [\"amd64\"]", `m.toml:2: platforms = …: "amd64": no platform of workers; write it like "linux/amd64"`},
		{"taint", "[k8s]\ntolerations = [\"a\"]", `m.toml:2: tolerations = …: "a": no taint; write "key=value:effect"`},
		{"secret in a file", "[k8s.env]\nLEVEL = \"1\"\nAPI_TOKEN = \"hunter2\"", `m.toml:3: env: API_TOKEN: it looks like a secret`},
		{"password in a file", "[k8s.env]\nDATABASE = \"postgres://ada:hunter2@db/a\"", `m.toml:2: env: DATABASE: it looks like a secret, and everybody who may read Jobs would see it; keep it in a Secret, and write secret_env = { DATABASE = "secret/key" }`},
		{"grace without a unit", "[k8s]\nroom_grace = 5", `m.toml:2: room_grace = 5: no duration; write one in quotes, such as "90s", "2h" or "7d", or "forever"`},
		{"percentile", "[k8s]\nmemory_from_history = 20", `m.toml:2: memory_from_history = 20: no percentile; write a number from 50 to 100, such as 95, or "off"`},
		{"percentile", "[k8s]\nmemory_from_history = nan", `no percentile`},
		{"percentile", "[k8s]\nmemory_from_history = true", `no percentile`},
		{"percentile", "[k8s]\nmemory_from_history = \"always\"", `no percentile`},
		{"share", "[k8s]\nlogs = 2", `m.toml:2: logs = 2: no share`},
		{"executor without a table", "k8s = true", `m.toml:1: k8s is true or false; write what holds for these executors below [k8s]`},
		{"one namespace for a list", "[k8s]\nworkload_identity_namespaces = \"data\"", `m.toml:2: workload_identity_namespaces = "data": text where a list of namespaces belongs; write them as ["forecast", "data"]`},
		{"no namespaces", "[k8s]\nworkload_identity_namespaces = []", `m.toml:2: workload_identity_namespaces = …: empty`},
		{"a namespace that is none", "[k8s]\nworkload_identity_namespaces = [\n\"data\", \"My_Data\"]", `m.toml:2: workload_identity_namespaces = …: "My_Data": no namespace`},
		{"a number among namespaces", "[k8s]\nworkload_identity_namespaces = [1]", `m.toml:2: workload_identity_namespaces = …: 1: a whole number where text belongs`},
		{"list of tables", "[[function]]\nretries = 1", `m.toml:1: function is a list; write settings`},
		{"UTF-16", "\xff\xfer\x00", "m.toml:1: it is UTF-16; save the file as UTF-8"},
		{"Latin-1", "off = true\n# caf\xe9\n", "m.toml:2: it has a character that is not UTF-8"},
		{"a value that never seems to end", "off = true\nroot = \"\"\"" + strings.Repeat("\n", 1000) + "\"\"\"\ntimeout = 3", "m.toml:2: timeout = 3"},
		{"after a value on many lines", "root = \"\"\"\nmem://a\n[function]\n\"\"\"\n\ntimeout = 3", "m.toml:6: timeout = 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file, err := Parse("m.toml", []byte(test.text))
			if err == nil || file != nil {
				t.Fatalf("accepted as %+v", file)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %s\nwant %s", err, test.want)
			}
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%T holds no *Error", err)
			}
		})
	}
}

func TestAllMistakesAtOnceInOrder(t *testing.T) {
	_, err := Parse("m.toml", []byte("timeout = 1\noff = 2\n[function.\"b\"]\nroot = \"x\"\n[function.\"a\"]\nretries = -1\n"))
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 4 {
		t.Fatalf("want four mistakes, got:\n%s", err)
	}
	for i, want := range []string{"m.toml:1: timeout", "m.toml:2: off", "m.toml:4: root", "m.toml:6: retries"} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("mistake %d: got %q, want %q", i, lines[i], want)
		}
	}
}

// What switches something off beside what contradicts it is fine.
func TestNoContradiction(t *testing.T) {
	for _, text := range []string{
		"off = false\nexecutor = \"x\"",
		"refresh = false\nrequire_results = true",
		"off = true\n[function.\"a\"]\nexecutor = \"x\"",
		"retries = 1\n[function.\"\"]\nretries = 2\nforce = true",
		"root = \"file://~/.mops\"",
		"root = \"mem://\"",
		"root = \"file://C:/data\"",
		"timeout = \"0s\"",
	} {
		if _, err := Parse("m.toml", []byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
