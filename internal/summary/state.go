package summary

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Dir is the user's state folder for mops: MOPS_STATE, else mops in
// XDG_STATE_HOME, else ~/.local/state/mops (XDG Base Directory Specification
// 0.8), ~/Library/Application Support/mops on macOS, mops in LocalAppData on
// Windows. It is never in the current folder. lookup is [os.LookupEnv] or the like.
func Dir(lookup func(string) (string, bool)) (string, error) {
	if dir, _ := lookup("MOPS_STATE"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("MOPS_STATE=%q is not an absolute path; write one that is", dir)
		}
		return filepath.Clean(dir), nil
	}
	// The specification has relative paths ignored.
	if dir, _ := lookup("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mops"), nil
	}
	if dir, _ := lookup("LocalAppData"); runtime.GOOS == "windows" && filepath.IsAbs(dir) {
		return filepath.Join(dir, "mops"), nil
	}
	home, _ := lookup("HOME")
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("no home folder is known for the state of mops; set HOME or MOPS_STATE")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "mops"), nil
	}
	return filepath.Join(home, ".local", "state", "mops"), nil
}
