package config

import (
	"strings"
	"testing"
	"time"
)

// However odd a file is, it is understood or refused at once.
func TestOddFilesAreQuick(t *testing.T) {
	for name, text := range map[string]string{
		"deep key":    strings.Repeat("a.", 200_000) + "a = 1",
		"deep header": "[" + strings.Repeat("a.", 200_000) + "a]\nb = 1",
		"long list":   "root = [\n" + strings.Repeat("1,\n", 200_000) + "]",
		"many lines":  strings.Repeat("\n", 200_000),
		"deep list":   "root = " + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000),
		"long key":    strings.Repeat("a", maxFile-4) + " = 1",
	} {
		begin := time.Now()
		_, err := Parse("m.toml", []byte(text))
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if err != nil && len(err.Error()) > 2000 {
			t.Errorf("%s: the message has %d characters: %.200s…", name, len(err.Error()), err)
		}
	}
}
