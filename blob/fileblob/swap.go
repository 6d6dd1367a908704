package fileblob

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// kept is how many versions stay behind the newest, so that a reader that has
// just found one can still open it. Large blobs are written over only now and
// then, to renew them, and their versions take room.
const (
	kept      = 16
	keptLarge = 1
	large     = 1 << 20 // bytes
)

var mismatch = &driver.Error{Kind: driver.Mismatch}

// swap publishes the file as the successor of a version, unless that version
// has one. The package's doc comment says why there is only one.
func (s *store) swap(st *staged, path string, over state) (version, error) {
	next := over.version.after()
	var err error
	if over.version.number == 0 {
		err = s.begin(st, path, next)
	} else {
		err = st.succeed(path, over.version, next)
	}
	if err != nil {
		return version{}, err
	}
	if life, err := lifeAt(path); err != nil || life != next.life {
		if err != nil {
			return version{}, classify(err)
		}
		removeDead(path)
		return version{}, mismatch // deleted at the same moment
	}
	stay := uint64(kept)
	if st.size >= large {
		stay = keptLarge
	}
	for _, v := range over.earlier {
		if v.number+stay <= over.version.number {
			os.Remove(v.at(path))
		}
	}
	return next, nil
}

// succeed makes next the version after old: it gives the file its name, and
// then renames the pointer. The pointer can be renamed from its old name only
// once.
func (st *staged) succeed(path string, old, next version) error {
	switch err := st.publish(next.at(path)); {
	case isNotExist(err):
		return mismatch // deleted
	case err != nil:
		return classify(err)
	}
	st.spent = true // in case it loses this name, here or to a Delete
	err := os.Rename(old.pointer(path), next.pointer(path))
	if err == nil || exists(next.pointer(path)) {
		return nil // on NFS, it may have been done though the reply says otherwise
	}
	os.Remove(next.at(path))
	if isNotExist(err) {
		return mismatch
	}
	return classify(err)
}

func (s *store) makePointer(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer file.Close()
	a, err := statOf(file)
	s.team().admit(file, a)
	return err
}

// begin makes next the version after version 0: it prepares a folder with the
// file and the pointer in it, and renames that to the life's folder. This can
// be done only once, because that folder is never empty again.
func (s *store) begin(st *staged, path string, next version) error {
	dir := filepath.Join(s.tempDir(), rand.Text())
	data := filepath.Join(dir, next.name())
	moved := false
	defer func() {
		if !moved { // os.RemoveAll would open, and could wait for, whatever took the place of the temporary files
			os.Remove(data + newest)
			os.Remove(data)
			removeEmpty(dir)
		}
	}()
	err := s.withFolder(dir, func() error { return st.publish(data) })
	if err == nil {
		st.spent = true
		err = s.makePointer(data + newest)
	}
	if err == nil {
		err = s.withFolder(versionsOf(path), func() error {
			// os.Rename refuses to replace an empty folder; this does not.
			return syscall.Rename(dir, lifeOf(path, next.life))
		})
	}
	moved = err == nil || exists(next.pointer(path)) // as in succeed
	switch {
	case moved:
		return nil
	case errors.Is(err, fs.ErrExist): // ENOTEMPTY, too
		return mismatch
	}
	removeEmpty(versionsOf(path))
	return classify(cmp.Or(obstacle(lifeOf(path, next.life)), err))
}
