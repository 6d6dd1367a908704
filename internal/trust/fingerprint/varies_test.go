package fingerprint

import (
	"os"
	"path/filepath"
	"testing"
)

// What is in files that some builds leave out varies, and nothing else does.
func TestVaries(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":        "module example.org/edits\n\ngo 1.26.0\n",
		"plain.go":      "package edits\n\nfunc plain() int { return 1 }\n\nfunc calls() int { return tagged() + factor }\n\nfunc uses() int { return factor }\n",
		"tagged.go":     "// Package edits is tagged.\n\n//go:build !big\n\npackage edits\n\nfunc tagged() int { return 10 }\n\nconst factor = 10\n",
		"big.go":        "//go:build big\n\npackage edits\n\nfunc tagged() int { return 20 }\n\nconst factor = 20\n",
		"new.go":        "//go:build go1.22 && !go1.99\n\npackage edits\n\nfunc version() int { return 1 }\n",
		"read_linux.go": "package edits\n\nfunc system() int { return 1 }\n",
		"read_amd64.go": "package edits\n\nfunc processor() int { return 1 }\n",
		"c.go":          "package edits\n\nimport \"C\"\n\nfunc cgo() int { return int(C.int(1)) }\n",
		"text.go":       "package edits\n\n//go:build big\n\nfunc text() int { return 1 }\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	p := loaded(t, folder)
	for name, want := range map[string]bool{
		"plain": false, "version": false, "text": false,
		"calls": true, "uses": true, "tagged": true, "system": true, "processor": true, "cgo": true,
	} {
		if f := function(t, p, name); f.Varies != want {
			t.Errorf("%s varies: %v", name, f.Varies)
		}
	}
}
