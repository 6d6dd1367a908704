package fileblob

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// team is the group that shares a root: the group of the root's folder, if it
// may write there, else nobody.
//
// Like git's core.sharedRepository=group, it makes up for a umask that takes
// away what the others need: most people have 022.
type team struct {
	anybody bool
	group   int
	setgid  fs.FileMode // fs.ModeSetgid or 0

	// plain says that mkdir(2) alone makes folders as they should be.
	plain atomic.Bool
}

func teamOf(root attributes) *team {
	return &team{anybody: root.mode&0o020 != 0, group: root.group, setgid: root.mode & fs.ModeSetgid}
}

func (s *store) team() *team {
	if t := s.shared.Load(); t != nil {
		return t
	}
	root, err := attributesAt(s.dir)
	if err != nil {
		return &team{}
	}
	s.shared.CompareAndSwap(nil, teamOf(root))
	return s.shared.Load()
}

// admit gives the team what it needs of a new file or folder. If the system
// refuses, it is left as it is: some file systems have no groups, and nobody
// can give a file to a group that he is not in. If the others need it anyway,
// their error tells them.
func (t *team) admit(file *os.File, a attributes) (changed bool) {
	if !t.anybody {
		return false
	}
	if a.group != t.group {
		file.Chown(-1, t.group)
		changed = true
	}
	want := a.mode.Perm() | 0o040
	if a.mode.IsDir() {
		want |= 0o070 | t.setgid
	}
	if want != a.mode&(fs.ModePerm|fs.ModeSetgid) {
		file.Chmod(want)
		changed = true
	}
	return changed
}

// letIn adds to a permission error how to let a team in.
func (s *store) letIn(err *error) {
	e, ok := errors.AsType[*driver.Error](*err)
	if ok && e.Kind == driver.Denied && errors.Is(e.Err, fs.ErrPermission) {
		*err = &driver.Error{Kind: driver.Denied, Err: fmt.Errorf(
			"%w; where a group shares the root, a umask that shut the group out (022, 077) or a missing setgid bit may be why: let it in (as the superuser, or each owner for what is his): cd '%s' && chgrp -R GROUP . && chmod -R g+rX . && find . -type d -exec chmod g+ws {} +", e.Err, s.dir)}
	}
}

// makeFolders makes a folder, and those above it.
func (s *store) makeFolders(dir string) error {
	if len(dir) <= len(s.dir) {
		if err := os.MkdirAll(filepath.Dir(dir), dirMode); err != nil {
			return err
		}
		return os.Mkdir(dir, rootMode(dir))
	}
	err := s.makeFolder(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err // most often only the last folder is missing
	}
	if err := s.makeFolders(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.makeFolder(dir)
}

// rootMode is the mode of a new root: private if it is the default that nobody
// chose.
func rootMode(dir string) fs.FileMode {
	if home, err := os.UserHomeDir(); err == nil && dir == filepath.Join(home, ".mops") {
		return 0o700
	}
	return dirMode
}

// makeFolder makes one folder. If the umask leaves the team too little, it
// makes the folder elsewhere first and then renames it, so that nobody in the
// team ever finds it closed, even if this process is killed in between.
func (s *store) makeFolder(dir string) error {
	if t := s.team(); !t.anybody || t.plain.Load() {
		return os.Mkdir(dir, dirMode)
	}
	temp := filepath.Join(s.tempDir(), crand.Text())
	if dir == s.tempDir() {
		temp = dir + "-" + crand.Text() // no key can reach that either
	}
	err := os.Mkdir(temp, dirMode)
	if errors.Is(err, fs.ErrNotExist) && dir != s.tempDir() {
		if err = s.makeFolder(s.tempDir()); err == nil || errors.Is(err, fs.ErrExist) {
			err = os.Mkdir(temp, dirMode)
		}
	}
	if err != nil {
		return err
	}
	if err = s.admitFolder(temp); err == nil {
		err = os.Rename(temp, dir)
	}
	if err != nil {
		removeEmpty(temp)
	}
	return err
}

func (s *store) admitFolder(path string) error {
	folder, err := openfile.Folder(path, 0)
	if err != nil {
		return err
	}
	defer folder.Close()
	a, err := statOf(folder)
	if err == nil && !s.team().admit(folder, a) {
		s.team().plain.Store(true)
	}
	return err
}
