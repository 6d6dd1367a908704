package memokey

import (
	"strings"
	"testing"
)

func TestParseHomeIsTheInverse(t *testing.T) {
	for _, root := range []string{"file:///x/y", "mem://box", "file://~/.mops", "adls://acct/container/deep/er", "file:///data/mops1", "file:///mops1/mops1"} {
		for _, name := range []string{"f", "forecast/train", "a/b/c/d/e/f"} {
			want := Home{Root: root, Pipeline: "Pipe", Name: name, Version: "v.1"}
			for _, address := range []string{want.String(), want.String() + "/"} {
				if got, err := ParseHome(address); err != nil || got != want {
					t.Errorf("ParseHome(%s) = %+v, %v", address, got, err)
				}
			}
		}
	}
}

// The parameters of a root may stand behind it, or at the end as in a URL.
func TestParseHomeWithParameters(t *testing.T) {
	want := Home{Root: "s3://b/r?endpoint=http://h:1&region=eu", Pipeline: "p", Name: "f/g", Version: "1"}
	for _, address := range []string{
		"s3://b/r/mops1/p/f/g@1?endpoint=http://h:1&region=eu",
		"s3://b/r?endpoint=http://h:1&region=eu/mops1/p/f/g@1",
	} {
		if got, err := ParseHome(address); err != nil || got != want {
			t.Errorf("ParseHome(%s) = %+v, %v", address, got, err)
		}
	}
}

func TestParseHomeRefuses(t *testing.T) {
	for address, want := range map[string]string{
		"":                              "no segment mops1",
		"forecast/train@1":              "no segment mops1",
		"file:///x/mops1":               "ends after mops1",
		"file:///x/mops1/p/f":           "<name>@<version>",
		"file:///x/mops1/p/F@0":         "invalid function name",
		"file:///x/mops1/p/f@":          "invalid version",
		"file:///x/mops1/p q/f@0":       "invalid pipeline",
		"/data/mops1/p/f@0":             "not the URI of a root",
		"mops1/p/f@0":                   "not the URI of a root",
		"s3://user:secret@box/mops1/p":  "<name>@<version>",
		"s3://box/x?key=secret/mops1/p": "s3://box/x?…/mops1/p",
		"s3://box/x?key=secret":         "no segment mops1",
		"file:///x/mops1/p/f@0/a.":      "that of the function ends after f@0",
	} {
		_, err := ParseHome(address)
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "not the address of a function") {
			t.Errorf("ParseHome(%q): %v; want it to say %q", address, err, want)
		}
	}
}
