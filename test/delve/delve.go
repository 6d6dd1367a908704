// Package delve has the debugger dlv for tests, and the tests that run stored calls
// again under it and under perf.
package delve

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/TrilliantHealth/mops-go/test/toolcache"
)

const version = "v1.27.2"

// Program returns the path of dlv. A test on a machine that cannot have it, or on
// which it may not look into processes, is left out.
func Program(t testing.TB) string {
	t.Helper()
	folder, err := toolcache.Folder("delve-"+version+"-"+runtime.Version(), func(folder string) error {
		install := exec.CommandContext(t.Context(), "go", "install", "github.com/go-delve/delve/cmd/dlv@"+version)
		install.Dir = folder
		install.Env = append(os.Environ(), "GOBIN="+folder, "GOFLAGS=", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
		if out, err := install.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Skipf("left out: the debugger dlv cannot be built here: %v", err)
	}
	dlv := filepath.Join(folder, "dlv")
	if runtime.GOOS == "windows" {
		dlv += ".exe"
	}
	// The debugger on itself, as a program that is there.
	try := exec.CommandContext(t.Context(), dlv, "exec", dlv, "--allow-non-terminal-interactive=true")
	if out, err := try.CombinedOutput(); err != nil {
		t.Skipf("left out: the debugger dlv may not look into processes here: %v\n%s", err, out)
	}
	return dlv
}
