package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// tables are what a file can say of executors: by their names, and by keys, how a
// value is read. What it means, the executor knows.
var tables = map[string]map[string]func(any) (any, error){
	"k8s": {
		"workload_identity_account":    func(value any) (any, error) { return text(value, "worker") },
		"workload_identity_namespaces": readNamespaces,
		"aad_pod_identity":             func(value any) (any, error) { return text(value, "reader") },
	},
}

// A namespace's name is a label of RFC 1123:
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
var namespace = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func readNamespaces(value any) (any, error) {
	const example = `write them as ["forecast", "data"]`
	values, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s where a list of namespaces belongs; %s", typeName(value), example)
	}
	if len(values) == 0 {
		return nil, errors.New("empty; " + example + ", or leave the setting out")
	}
	names := make([]string, len(values))
	for i, value := range values {
		name, err := text(value, "forecast")
		if err == nil && !namespace.MatchString(name) {
			err = errors.New("no namespace; those have at most 63 of a to z, 0 to 9 and -, with - neither first nor last")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown(value), err)
		}
		names[i] = name
	}
	return names, nil
}

// table reads what the file says of executors of this name.
func (p *parser) table(name string, value any) {
	entries, isTable := value.(map[string]any)
	if !isTable {
		p.fail(p.lines.at(name), "%s is %s; write what holds for these executors below [%s]", name, typeName(value), name)
		return
	}
	known := slices.Sorted(maps.Keys(tables[name]))
	values := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		line := p.lines.at(name, key)
		read, ok := tables[name][key]
		if !ok {
			if meant := nearest(key, known); meant != "" {
				p.fail(line, "unknown setting %q below [%s]; did you mean %s?", key, name, meant)
			} else {
				p.fail(line, "unknown setting %q below [%s]; there are %s, and all else is said in the program", key, name, strings.Join(known, ", "))
			}
			continue
		}
		var err error
		if values[key], err = read(entries[key]); err != nil {
			p.fail(line, "%s = %s: %s", key, shown(entries[key]), err)
		}
	}
	if p.file.Executors == nil {
		p.file.Executors = map[string]map[string]any{}
	}
	p.file.Executors[name] = values
}
