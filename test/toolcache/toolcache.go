// Package toolcache keeps the programs that tests run and that are slow to get, in
// the user's cache folder, for all clones. internal/testkit/emulator and internal/cluster
// have theirs there.
package toolcache

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Folder returns the path of the folder with this name, which holds what fill made.
// The name has the versions in it of all that decides the content. Fill gets an
// empty folder, once on this machine: others wait meanwhile, and nobody ever sees
// half of it. It may not keep paths: the folder is renamed afterwards.
func Folder(name string, fill func(folder string) error) (string, error) {
	folder := Path(name)
	if isFolder(folder) {
		return folder, nil
	}
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return "", err
	}
	unlock, err := lockedfile.MutexAt(folder + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	if isFolder(folder) { // by somebody else, meanwhile
		return folder, nil
	}
	fresh, err := os.MkdirTemp(parent, "unfinished-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	if err := fill(fresh); err != nil {
		return "", err
	}
	return folder, os.Rename(fresh, folder)
}

// Path is where Folder puts it.
func Path(name string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "mops-test", name)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
