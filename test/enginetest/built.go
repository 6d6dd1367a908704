package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// StartPlain is Start without the race detector, which takes twenty times the time of a
// program that prints or hashes much, and several times its memory: there is nothing to
// judge then.
func StartPlain(t testing.TB, place, name string, arguments any, env ...string) *Program {
	t.Helper()
	binary, err := Plain()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, binary, "", nil, place, name, arguments, env)
}

// Plain is the path of the test binary without cgo, and so without the race detector.
// It is built once.
var Plain = sync.OnceValues(func() (string, error) { return Build("") })

// Build builds the test binary without cgo, and with more flags for the linker. It lies
// there until [RemoveBuilt].
func Build(linkerFlags string) (string, error) {
	dir, err := os.MkdirTemp("", "mops-enginetest-")
	if err != nil {
		return "", err
	}
	built.Lock()
	built.folders = append(built.folders, dir)
	built.Unlock()
	path := filepath.Join(dir, "program")
	build := exec.Command("go", "test", "-c", "-trimpath", "-ldflags=-s -w "+linkerFlags, "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the tests without the race detector: %w\n%s", err, out)
	}
	return path, nil
}

var built struct {
	sync.Mutex
	folders []string
}

// RemoveBuilt removes what Build built. A TestMain does it at the end.
func RemoveBuilt() {
	built.Lock()
	defer built.Unlock()
	for _, folder := range built.folders {
		os.RemoveAll(folder)
	}
}
