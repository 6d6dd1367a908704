package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// YAML says what the JSON says, in its order, and nothing in it acts upon a terminal.
func TestYAML(t *testing.T) {
	odd := []string{
		"", "yes", "null", "1e3", "0x10", "12", " lead", "a: b", "- x", "#", "two\nlines\n", "tab\there", "\x00\x1b[31m\x7f", "\u0085\u202e\u2028\ufeff", "😀", "\"'`", strings.Repeat("long ", 100),
		"2026-11-30", "~", "!!binary x", "%", "@", "trailing ", "\n", "---", "a\u202eb\nc",
	}
	value := map[string]any{"z": odd, "a": map[string]any{}, "b": []any{}, "c": []any{nil, true, false, 1.5, 1e300, -0.25, math.MaxInt32, []any{map[string]any{"k": "v"}}}}
	for _, s := range odd {
		value["key "+s] = s
	}
	var text, out bytes.Buffer
	a := &App{Stdout: &text}
	if err := a.PrintJSON(value); err != nil {
		t.Fatal(err)
	}
	if err := toYAML(&text, &out); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x00\x1b\x7f\u0085\u202e") {
		t.Errorf("a terminal would act upon %q", out.String())
	}
	var back any
	if err := yaml.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatalf("%v in\n%s", err, out.String())
	}
	var got, want any
	for into, v := range map[*any]any{&got: back, &want: value} {
		encoded, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(encoded, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%#v\nwant %#v\n%s", got, want, out.String())
	}

	out.Reset()
	if err := toYAML(strings.NewReader(`{"z":123456789012345678901234567890,"a":"\ud83d\ude00","m":1E5} {"next":[1]}`), &out); err != nil || out.String() != "z: 123456789012345678901234567890\na: \"\\U0001F600\"\nm: 1E5\n---\nnext:\n  - 1\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := toYAML(strings.NewReader(`{"a": [1, `), &out); err == nil {
		t.Error("half a value is taken for one")
	}
}

// Only the writer's own lines have colours, whatever was stored.
func TestColours(t *testing.T) {
	for _, colour := range []bool{true, false} {
		var out bytes.Buffer
		w := NewTextWriter(&out)
		w.Colour = colour
		w.Table("  ", [][]string{{"state", "call"}, {"error", "\x1b[5mx"}, {"running", "y"}, {"result", "failed"}, {"other", "no result, no error"}}, "")
		w.Write([]byte("error  \x1b[31mz\n"))
		w.Flush()
		want := "\x1b[1m  state    call\x1b[0m\n  \x1b[31merror\x1b[0m    x\n  \x1b[33mrunning\x1b[0m  y\n  \x1b[32mresult\x1b[0m   failed\n  other    no result, no error\nerror  z\n"
		if !colour {
			want = strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "").Replace(want)
		}
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}
