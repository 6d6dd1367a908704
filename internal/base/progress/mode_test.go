package progress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMode(t *testing.T) {
	for text, want := range map[string]Mode{"": Auto, "auto": Auto, "plain": Plain, "off": Off} {
		if got, err := ParseMode(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseMode("fancy"); err == nil || !strings.Contains(err.Error(), "auto, plain or off") {
		t.Errorf("got %v", err)
	}
}

// A file is no terminal: no control characters, whatever TERM says.
func TestAFileGetsPlainLines(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lookup := func(name string) (string, bool) {
		if name == "TERM" {
			return "xterm-256color", true
		}
		return "", false
	}
	if s := screenOf(file, Auto, lookup); s.mode != Plain || s.color {
		t.Errorf("got %+v", s)
	}
	if s := screenOf(file, Off, lookup); s.mode != Off {
		t.Errorf("got %+v", s)
	}
}
