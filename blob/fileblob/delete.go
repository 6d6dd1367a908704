package fileblob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// Delete removes a blob with all its versions, and the folders that become
// empty. If a process is killed on the way, what it leaves belongs to a life
// that has ended, and does no harm.
func (s *store) Delete(ctx context.Context, key string) (err error) {
	defer s.letIn(&err)
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := s.path(key)
	if err != nil {
		return err
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return nil // a folder of blobs, but no blob
	}
	if err := syscall.Unlink(path); err != nil && !isNotExist(err) {
		return classify(&fs.PathError{Op: "unlink", Path: path, Err: err})
	}
	removeDead(path)
	s.prune(path)
	return nil
}

// removeDead removes the versions of lives that have ended. The order matters:
// it lists the lives first and then asks for the current one. A listed life
// that is not the current one is over for good.
func removeDead(path string) {
	names, err := readNames(versionsOf(path))
	if err != nil {
		return
	}
	current, err := lifeAt(path)
	if err != nil {
		return
	}
	for _, name := range names {
		if life, ok := parseIdentity(name); ok && life != current {
			os.RemoveAll(lifeOf(path, life))
		}
	}
	removeEmpty(versionsOf(path))
}

// prune removes the empty folders above path, below the root.
func (s *store) prune(path string) {
	for dir := filepath.Dir(path); len(dir) > len(s.dir); dir = filepath.Dir(dir) {
		if removeEmpty(dir) != nil {
			return
		}
	}
}

// removeEmpty removes an empty folder. os.Remove would remove a file, too.
func removeEmpty(dir string) error { return syscall.Rmdir(dir) }

func readNames(dir string) ([]string, error) {
	f, err := openfile.Folder(dir, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if errors.Is(err, fs.ErrNotExist) { // removed while we read it
		err = nil
	}
	return names, err
}
