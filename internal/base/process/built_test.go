package process_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

func TestBuiltToRun(t *testing.T) {
	kept := "ab/ab" + strings.Repeat("0", 62) + "-d/prog"
	for path, want := range map[string]bool{
		"/tmp/go-build3771/b001/exe/prog":      true,
		"/tmp/go-build3771/b001/forecast.test": true,
		"/home/ada/.cache/go-build/" + kept:    true,
		"/data/gocache/" + kept:                true,
		"/data/ab0-d/prog":                     false,
		"/home/ada/bin/prog":                   false,
		"/home/ada/my-go-build/prog":           false,
		"":                                     false,
	} {
		if got := process.BuiltToRun(filepath.FromSlash(path)); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}
