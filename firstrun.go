package mops

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
)

// firstRun is the folder of the default root, if a program is the first that keeps
// something there; else "". Its user hears once where the megabytes went.
type firstRun string

func newFirstRun() firstRun {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	root := filepath.Join(home, ".mops")
	if _, err := os.Lstat(root); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return firstRun(root)
}

// worthTelling is how many bytes nobody would look for.
const worthTelling = 1 << 20

// line is what is said at the end; "" for nothing.
func (root firstRun) line() string {
	if root == "" {
		return ""
	}
	var size int64
	filepath.WalkDir(string(root), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be looked at is not counted
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	if size < worthTelling {
		return ""
	}
	return fmt.Sprintf("mops: results and the files that they were made from take %s in %s now: mops gc removes what is old, rm -rf all of it; MOPS_ROOT names another place",
		text.Bytes(size), root)
}
