package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// k8s are the settings of package k8s, by the names of its options. Those that take
// several values have a list or a table. What a variable could hold beside mops's own
// variables in a pod is for the file only, and so are texts with commas.
var k8s = map[string]entry{
	"kubeconfig":       word("~/.kube/team", anything),
	"context":          word("team", anything),
	"namespace":        word("forecast", namespace),
	"create_namespace": flag,
	"name_prefix":      word("night", prefix),

	"image":        word("forecast:1.4", anything).inFileOnly(), // MOPS_K8S_IMAGE names a pod's own
	"registry":     word("registry.example.com", anything),
	"platforms":    list("platforms", `["linux/amd64", "linux/arm64"]`, platform),
	"pull_policy":  word("IfNotPresent", oneOf("Always", "IfNotPresent", "Never")),
	"pull_secrets": list("Secrets", `["registry"]`, objectName),

	"cpu":                  word("500m", quantity),
	"cpu_limit":            word("2", quantity).inFileOnly(),
	"memory":               word("4Gi", quantity),
	"memory_request":       word("2Gi", quantity).inFileOnly(),
	"memory_min":           word("256Mi", quantity),
	"memory_max":           word("16Gi", quantity),
	"memory_from_history":  percent,
	"gpu":                  number(65535),
	"gpu_resources":        table("amd.com/gpu", "1", anything, wholeNumber),
	"resources":            table("ephemeral-storage", "10Gi", anything, quantity),
	"env":                  table("LEVEL", "debug", variable, anything).with(noSecret).inFileOnly(),
	"secret_env":           table("TOKEN", "secret/key", variable, keyOf).inFileOnly(), // an error would show what a variable holds
	"config_map_env":       table("REGION", "config-map/key", variable, keyOf),
	"env_from_secrets":     list("Secrets", `["store"]`, objectName),
	"env_from_config_maps": list("ConfigMaps", `["places"]`, objectName),
	"claims":               table("/data", "shared", path, objectName),
	"host_paths":           table("/data", "/mnt/data", path, path),
	"roots":                table("file:///data", "file:///mnt/data", anything, anything).inFileOnly(),

	"service_account":              word("worker", objectName),
	"run_as":                       word("1000:1000", userAndGroup),
	"fs_group":                     number(1<<31 - 1),
	"workload_identity_account":    word("worker", objectName),
	"workload_identity_namespaces": list("namespaces", `["forecast", "data"]`, namespace),
	"aad_pod_identity":             word("reader", anything),

	"node_selector": table("pool", "large", labelKey, labelValue),
	"node_in":       entry{read: readChoices},
	"tolerations":   list("taints", `["dedicated=forecast:NoSchedule"]`, taint),
	"spot":          flag,
	"only_spot":     flag,
	"dedicated":     list("purposes", `["forecast"]`, labelValue),

	"ttl":           lasting,
	"deadline":      lasting,
	"stop_grace":    lasting.inFileOnly(),
	"start_grace":   lastingOrForever,
	"room_grace":    lastingOrForever,
	"silence_grace": lastingOrForever,
	"retries":       number(maxRetries),
	"disruptions":   number(1 << 30),

	"priority_class": word("low", objectName),
	"queue":          word("batch", objectName),
	"labels":         table("team", "weather", labelKey, labelValue),
	"annotations":    table("example.com/owner", "weather", labelKey, anything).inFileOnly(),
	"limit":          number(1 << 30),
	"pack":           lastingAtLeast(time.Second),
	"side_by_side":   number(1000),
	"logs":           entry{read: readShare}, // k8s itself reads MOPS_K8S_LOGS
	"log_streams":    number(1 << 30),
}

// check is what is wrong with a text; nil if nothing is.
type check func(text string) error

func anything(string) error { return nil }

// matching are texts of a pattern; otherwise says what is wrong, and how to mend it.
// Most programs have no such settings and need not wait for patterns to be compiled.
func matching(pattern, otherwise string) check {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) })
	return func(text string) error {
		if !compiled().MatchString(text) {
			return errors.New(otherwise)
		}
		return nil
	}
}

// Names and labels: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/,
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/. Quantities:
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
var (
	namespace = matching(`[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?`,
		"no namespace; those have at most 63 of a to z, 0 to 9 and -, with - neither first nor last")
	prefix     = matching(`[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?`, "no beginning of a name; write 1 to 20 of a to z, 0 to 9 and -")
	objectName = matching(`[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?`,
		"no name in a cluster; those have at most 253 of a to z, 0 to 9, - and ., with a letter or digit first and last")
	labelKey = matching(`([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?`,
		`no label's name; write one such as "pool" or "example.com/pool"`)
	labelValue = matching(`([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?`,
		"no label's value; those have at most 63 letters, digits, -, _ and ., with a letter or digit first and last")
	variable = matching(`[A-Za-z_][-A-Za-z0-9_.]*`, `no variable's name; write one such as "LEVEL"`)
	keyOf    = matching(`[a-z0-9][-a-z0-9.]*/[-\w.]+`, `not a name and a key; write them as "name/key"`)
	path     = matching(`/.*`, `not an absolute path; write one such as "/data"`)
	quantity = matching(`(\d+|\d+\.\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?\d+)?`,
		`no quantity; write one such as "500m", "2" or "4Gi"`)
	wholeNumber  = matching(`\d{1,5}`, `not a number; write one such as "1"`)
	userAndGroup = matching(`image|\d{1,10}:\d{1,10}`, `no user and group; write their numbers, such as "1000:1000", or "image" for the image's own`)
	platform     = matching(`linux/[^/\s]+(/[^/\s]+)?`, `no platform of workers; write it like "linux/amd64" or "linux/arm64"`)
	taint        = matching(`[^=:\s]+(=[^=:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)`,
		`no taint; write "key=value:effect" or "key:effect", as kubectl does; effects are NoSchedule, PreferNoSchedule and NoExecute`)
)

func oneOf(words ...string) check {
	return func(text string) error {
		if !slices.Contains(words, text) {
			return fmt.Errorf("unknown; write one of %q", words)
		}
		return nil
	}
}

// secretName is how people name variables that hold a secret.
var secretName = regexp.MustCompile(`(?i)(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|CONNECTION_STRING|(API|ACCESS|ACCOUNT|STORAGE|PRIVATE|SECRET)_?KEY)$`)

// noSecret refuses what looks like a secret: everybody who may read the file, or a Job,
// sees it.
func noSecret(name, value string) error {
	u, err := url.Parse(value)
	password := false
	if err == nil && u.User != nil {
		_, password = u.User.Password()
	}
	if password || secretName.MatchString(name) {
		return fmt.Errorf("it looks like a secret, and everybody who may read Jobs would see it; keep it in a Secret, and write secret_env = { %s = \"secret/key\" }", name)
	}
	return nil
}

// word is one text.
func word(example string, check check) entry {
	return entry{fromText: sameText, read: func(value any) ([]string, error) {
		s, err := readText(value, example)
		if err == nil {
			err = check(s)
		}
		return []string{s}, err
	}}
}

var flag = entry{fromText: textToBool, read: func(value any) ([]string, error) {
	b, err := readBool(value)
	return []string{strconv.FormatBool(b)}, err
}}

// number is a whole number from 0 on.
func number(most int64) entry {
	mend := fmt.Sprintf("write a whole number from 0 to %d", most)
	return entry{
		fromText: func(text string) (any, error) {
			n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err != nil {
				return nil, errors.New("not a whole number; " + mend)
			}
			return n, nil
		},
		read: func(value any) ([]string, error) {
			n, ok := value.(int64)
			if !ok {
				return nil, fmt.Errorf("%s where a number belongs; %s, without quotes", typeName(value), mend)
			}
			if n < 0 || n > most {
				return nil, errors.New("out of range; " + mend)
			}
			return []string{strconv.FormatInt(n, 10)}, nil
		},
	}
}

// percent is a percentile from 50 to 100, or off.
var percent = entry{
	fromText: func(text string) (any, error) {
		if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil {
			return f, nil
		}
		return text, nil
	},
	read: func(value any) ([]string, error) {
		share := fraction(value, nil)
		if value == "off" {
			return []string{"0"}, nil
		}
		if !(share >= 50 && share <= 100) {
			return nil, errors.New(`no percentile; write a number from 50 to 100, such as 95, or "off"`)
		}
		return []string{strconv.FormatFloat(share, 'g', -1, 64)}, nil
	},
}

// lasting is a duration, in days, too.
var lasting = entry{fromText: sameText, read: func(value any) ([]string, error) {
	d, err := readTTL(value)
	if err != nil {
		return nil, errors.New(`no duration; write one in quotes, such as "90s", "2h" or "7d"`)
	}
	return []string{d.String()}, nil
}}

// lastingAtLeast is a duration that is none, or not shorter than the least.
func lastingAtLeast(least time.Duration) entry {
	return entry{fromText: sameText, read: func(value any) ([]string, error) {
		values, err := lasting.read(value)
		if err != nil {
			return nil, err
		}
		if d, err := time.ParseDuration(values[0]); err != nil || d != 0 && d < least {
			return nil, fmt.Errorf("too short; write %v or more, or \"0s\" for none", least)
		}
		return values, nil
	}}
}

const forever = "-1s"

// lastingOrForever is what k8s takes for ever if it is negative.
var lastingOrForever = entry{fromText: sameText, read: func(value any) ([]string, error) {
	if value == "forever" {
		return []string{forever}, nil
	}
	values, err := lasting.read(value)
	if err != nil {
		err = fmt.Errorf("%w, or \"forever\"", err)
	}
	return values, err
}}

// list is a list of texts.
func list(what, example string, check check) entry {
	return entry{fromText: items, read: func(value any) ([]string, error) { return readList(value, what, example, check) }}
}

func readList(value any, what, example string, check check) ([]string, error) {
	values, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s where a list of %s belongs; write them as %s", typeName(value), what, example)
	}
	if len(values) == 0 {
		return nil, errors.New("empty; write them as " + example + ", or leave the setting out")
	}
	items := make([]string, len(values))
	for i, value := range values {
		item, err := readText(value, "forecast")
		if err == nil {
			err = check(item)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown(value), err)
		}
		items[i] = item
	}
	return items, nil
}

// table is a table of texts; numbers in it may go without quotes.
func table(exampleKey, example string, checkKey, checkValue check) entry {
	return entry{fromText: pairs, read: func(value any) ([]string, error) {
		return readTable(value, fmt.Sprintf("{ %q = %q }", exampleKey, example), checkKey, func(value any) (string, error) {
			if n, ok := value.(int64); ok {
				value = strconv.FormatInt(n, 10)
			}
			s, err := readText(value, example)
			if err == nil {
				err = checkValue(s)
			}
			return s, err
		})
	}}
}

func readTable(value any, example string, checkKey check, read func(any) (string, error)) ([]string, error) {
	entries, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s where a table belongs; write it as %s", typeName(value), example)
	}
	var all []string
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		_, err := readText(key, "name")
		if err == nil {
			err = checkKey(key)
		}
		if err == nil && strings.Contains(key, "=") {
			err = errors.New("there is = in the name; choose a name without it")
		}
		var s string
		if err == nil {
			s, err = read(entries[key])
		}
		if err != nil {
			return nil, &inTable{key, err}
		}
		all = append(all, key+"="+s)
	}
	return all, nil
}

// with is a table whose entries have to pass another check.
func (e entry) with(check func(name, value string) error) entry {
	read := e.read
	e.read = func(value any) ([]string, error) {
		all, err := read(value)
		for _, pair := range all {
			if name, value, _ := strings.Cut(pair, "="); err == nil {
				if fault := check(name, value); fault != nil {
					err = &inTable{name, fault}
				}
			}
		}
		return all, err
	}
	return e
}

// readChoices reads a table of lists: labels, and the values of which a node has one.
// The values are joined by commas.
func readChoices(value any) ([]string, error) {
	const example = `["a100", "h100"]`
	return readTable(value, "{ pool = "+example+" }", labelKey, func(value any) (string, error) {
		values, err := readList(value, "values", example, labelValue)
		return strings.Join(values, ","), err
	})
}

// fraction is the value, or what a word means; -1 for anything else.
func fraction(value any, words map[string]float64) float64 {
	switch value := value.(type) {
	case int64:
		return float64(value)
	case float64:
		return value
	case string:
		if means, ok := words[value]; ok {
			return means
		}
	}
	return -1
}

// readShare reads a share, from 0 to 1.
func readShare(value any) ([]string, error) {
	share := fraction(value, map[string]float64{"all": 1, "none": 0})
	if !(share >= 0 && share <= 1) {
		return nil, errors.New(`no share; write "all", "none", or a number from 0 to 1`)
	}
	return []string{strconv.FormatFloat(share, 'g', -1, 64)}, nil
}
