//go:build scripts

package main

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// jsonHas PATH [VALUE]: what was printed is JSON and has a value at a path such
// as result.value.Total or [0].uri; # at its end is a length. Without a value
// only that it is there.
func jsonHas(ts *testscript.TestScript, neg bool, args []string) {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		ts.Fatalf("this is no JSON: %v", err)
	}
	if decoder.More() {
		ts.Fatalf("more than one JSON value was printed")
	}
	path := strings.ReplaceAll(strings.ReplaceAll(args[0], "[", "."), "]", "")
	found := true
	for step := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		value, found = jsonStep(value, step)
		if !found {
			break
		}
	}
	if !found {
		if !neg {
			ts.Fatalf("there is no %s", args[0])
		}
		return
	}
	got := jsonText(value)
	matches := len(args) < 2 || got == args[1]
	if matches == neg {
		ts.Fatalf("%s is %s", args[0], got)
	}
}

func jsonStep(value any, step string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		next, ok := v[step]
		return next, ok
	case []any:
		if step == "#" {
			return len(v), true
		}
		i, err := strconv.Atoi(step)
		if err != nil || i >= len(v) {
			return nil, false
		}
		return v[i], true
	}
	return nil, false
}

func jsonText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := json.Marshal(value)
	return string(text)
}
