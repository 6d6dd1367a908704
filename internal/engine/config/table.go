package config

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Executors are what a file or the environment says of executors, by their names and
// by keys. A value is one text; or the items of a list; or the entries of a table, each
// written "name=value". What it means, the executor knows.
type Executors map[string]map[string][]string

// Overlay is e with all that is set in over on top of it.
func (e Executors) Overlay(over Executors) Executors {
	var sum Executors
	for _, all := range []Executors{e, over} {
		for name, entries := range all {
			for key, values := range entries {
				sum = sum.with(name, key, values)
			}
		}
	}
	return sum
}

func (e Executors) with(name, key string, values []string) Executors {
	if e == nil {
		e = Executors{}
	}
	if e[name] == nil {
		e[name] = map[string][]string{}
	}
	e[name][key] = values
	return e
}

// tables are what can be said of executors, by their names and by keys.
var tables = map[string]map[string]entry{"k8s": k8s}

// entry is how one value is read.
type entry struct {
	read     func(value any) ([]string, error)
	fromText func(text string) (any, error) // of a variable; nil: there is none
}

// inFileOnly is an entry without a variable.
func (e entry) inFileOnly() entry { return entry{read: e.read} }

// inTable is what is wrong with an entry of a table.
type inTable struct {
	key string
	err error
}

func (e *inTable) Error() string { return cut(e.key, 100) + ": " + e.err.Error() }

// table reads what the file says of executors of this name.
func (p *parser) table(name string, value any) {
	entries, isTable := value.(map[string]any)
	if !isTable {
		p.fail(p.lines.at(name), "%s is %s; write what holds for these executors below [%s]", name, typeName(value), name)
		return
	}
	known := slices.Sorted(maps.Keys(tables[name]))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		line := p.lines.at(name, key)
		e, ok := tables[name][key]
		if !ok {
			if meant := words.Nearest(key, known); meant != "" {
				p.fail(line, "unknown setting %q below [%s]; did you mean %s?", key, name, meant)
			} else {
				p.fail(line, "unknown setting %q below [%s]; docs/configuration.md lists them, and all else is said in the program", key, name)
			}
			continue
		}
		values, err := e.read(entries[key])
		if within, ok := errors.AsType[*inTable](err); ok {
			p.fail(p.lines.at(name, key, within.key), "%s: %s", key, within)
		} else if err != nil {
			p.fail(line, "%s = %s: %s", key, shown(entries[key]), err)
		}
		p.file.Executors = p.file.Executors.with(name, key, values)
	}
}

// items makes a list of what a variable says.
func items(text string) (any, error) {
	var all []any
	for item := range strings.SplitSeq(text, ",") {
		all = append(all, strings.TrimSpace(item))
	}
	return all, nil
}

// pairs makes a table of what a variable says.
func pairs(text string) (any, error) {
	all := map[string]any{}
	for item := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return nil, errors.New(`not all of it has the form name=value; write "name=value,name=value"`)
		}
		all[key] = value
	}
	return all, nil
}
