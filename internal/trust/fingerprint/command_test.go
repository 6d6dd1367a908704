//go:build unix

package fingerprint

import (
	"os"
	"path/filepath"
	"testing"
)

// What the go command has said is read to its end, also if that takes longer than the
// command.
func TestLateOutput(t *testing.T) {
	folder := t.TempDir()
	script := "#!/bin/sh\n(sleep 1.5; echo last) &\necho first\n"
	if err := os.WriteFile(filepath.Join(folder, "go"), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	p := &Program{config: Config{Platform: DefaultPlatform, Env: os.Environ()}}
	if out, err := p.command(t.Context(), asBefore, "version"); err != nil || string(out) != "first\nlast\n" {
		t.Errorf("%q, %v", out, err)
	}
}
