package memokey

import (
	"errors"
	"strings"
	"testing"
)

func TestValidNames(t *testing.T) {
	for _, name := range []string{"f", "0", "forecast/train", "a/b/c/d/e/f", "a.b_c-d", "x-", "x_", "mops", "mops1-x", strings.Repeat("a", MaxName)} {
		if err := ValidName(name); err != nil {
			t.Error(err)
		}
	}
	for _, version := range []string{DefaultVersion, "2026-04-rate", "V2", "a.b_c-d", strings.Repeat("V", MaxVersion)} {
		if err := errors.Join(ValidVersion(version), ValidPipeline(version)); err != nil {
			t.Error(err)
		}
	}
}

func TestInvalidNamesSayWhyAndWhatToTry(t *testing.T) {
	for _, test := range []struct {
		name    string
		segment int
		reason  string
		try     string
	}{
		{"", 1, "empty", "x"},
		{"/a", 1, "empty", "x/a"},
		{"a//b", 2, "empty", "a/x/b"},
		{"a/", 2, "empty", "a/x"},
		{"Forecast/Train", 1, `'F'`, "forecast/train"},
		{"a/my func", 2, `' '`, "a/my-func"},
		{"a/b@2", 2, `'@'`, "a/b-2"},
		{"größe", 1, `'ö'`, "gr--e"},
		{"a/.b", 2, `begins with '.'`, "a/b"},
		{"-a", 1, `begins with '-'`, "a"},
		{"..", 1, `begins with '.'`, "x"},
		{"a/b.", 2, "ends with a dot", "a/b"},
		{"a/mops1", 2, "taken by the store format", "a/x"},
		{"a/b/c/d/e/f/g", 0, "7 segments", "a/b/c/d/e/f"},
		{strings.Repeat("a", MaxName+1), 0, "161 bytes", strings.Repeat("a", MaxName)},
		{strings.Repeat("a", 158) + "/b./c", 2, "ends with a dot", strings.Repeat("a", 158) + "/b"},
	} {
		e, ok := errors.AsType[*NameError](ValidName(test.name))
		if !ok || e.Segment != test.segment || !strings.Contains(e.Reason, test.reason) || e.Try != test.try {
			t.Errorf("%q: %+v, want segment %d, reason %q, try %q", test.name, e, test.segment, test.reason, test.try)
		}
	}
	for _, test := range []struct{ name, reason, try string }{
		{"", "empty", "x"}, {"a/b", `'/'`, "a-b"}, {"v1.", "dot", "v1"}, {"V 1", `' '`, "V-1"}, {Format, "taken", "x"},
		{strings.Repeat("a", 65), "65 bytes", strings.Repeat("a", 64)},
	} {
		for _, valid := range []func(string) error{ValidVersion, ValidPipeline} {
			e, ok := errors.AsType[*NameError](valid(test.name))
			if !ok || !strings.Contains(e.Reason, test.reason) || e.Try != test.try {
				t.Errorf("%q: %+v, want reason %q, try %q", test.name, e, test.reason, test.try)
			}
		}
	}
}

func FuzzSuggestionsAreValid(f *testing.F) {
	for _, name := range []string{"", "A/B", strings.Repeat("a/", 90), strings.Repeat("é", 200), "mops1/MOPS1", strings.Repeat("a", 159) + "/.b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if e, ok := errors.AsType[*NameError](ValidName(name)); ok {
			if err := ValidName(e.Try); err != nil {
				t.Errorf("for the name %q: %v", name, err)
			}
		}
		if e, ok := errors.AsType[*NameError](ValidVersion(name)); ok {
			if err := ValidVersion(e.Try); err != nil {
				t.Errorf("for the version %q: %v", name, err)
			}
		}
	})
}
