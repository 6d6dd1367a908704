package main

import (
	"bytes"
	"encoding/json"
	"os"
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

// shapeOf FILE [KEY…] writes what kind of JSON was printed: each string, number
// and boolean is replaced by what it is, and of a list only the first element
// stays. The keys, which are not always there, are left out.
func shapeOf(ts *testscript.TestScript, neg bool, args []string) {
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	ts.Check(encoder.Encode(shapeOfValue(value, args[1:])))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text.Bytes(), 0o644))
}

func shapeOfValue(value any, without []string) any {
	switch v := value.(type) {
	case map[string]any:
		for key, element := range v {
			v[key] = shapeOfValue(element, without)
		}
		for _, key := range without {
			delete(v, key)
		}
		return v
	case []any:
		if len(v) == 0 {
			return v
		}
		return []any{shapeOfValue(v[0], without)}
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	}
	return value
}
