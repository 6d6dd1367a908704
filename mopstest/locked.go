package mopstest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/trust/lockfile"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// Locked fails the test if functions and the locks of their packages do not agree,
// as mops-lock --check does: the code of a function changed and its version did
// not, a function is not locked, or calls another that its Calls does not name. So
// go test is the gate, and no other command has to run in CI.
//
// Patterns are those of the go command, seen from the folder of the test's package;
// by default ./..., the package and all below it. One test at the top of a module
// is enough:
//
//	func TestLocked(t *testing.T) { mopstest.Locked(t) }
//
// It looks at what is built for one platform, and with the build tags of GOFLAGS,
// whatever the test is built with. Go does not cache the result of the test beyond
// an edit of the code that it looked at. The test is skipped, and says so, where
// there is no go command.
func Locked(t testing.TB, patterns ...string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("mopstest: locks were not checked, for that needs the go command: %v", err)
	}
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	for _, pattern := range patterns {
		readFolders(pattern)
	}
	r, err := lockfile.Look(t.Context(), lockfile.Config{Patterns: patterns, CacheDir: snapshot.DefaultCacheDir()})
	if err != nil {
		t.Fatalf("mopstest: %v", err)
	}
	for _, line := range r.Warnings() {
		t.Log(line)
	}
	for _, err := range r.Errs {
		t.Error(err)
	}
	for _, line := range r.Problems() {
		t.Error(line)
	}
}

// readFolders reads the folders that a pattern names. The go command runs a test
// again if a folder that the test has read is another; what other processes read,
// it does not know. So a new package is noticed.
func readFolders(pattern string) {
	top, all := strings.CutSuffix(filepath.ToSlash(pattern), "/...")
	if !all || !strings.HasPrefix(top, ".") && !filepath.IsAbs(top) {
		return
	}
	top = filepath.FromSlash(top)
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // which the look reports, if it matters
		case !entry.IsDir() || path == top:
			return nil
		case strings.ContainsAny(entry.Name()[:1], "._"), slices.Contains([]string{"testdata", "vendor", "node_modules"}, entry.Name()):
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
			return filepath.SkipDir
		}
		return nil
	})
}
