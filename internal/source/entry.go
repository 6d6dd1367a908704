package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/openfile"
)

// The cache has two kinds of entries, files by hash and folders by hash of their
// manifest. All processes of a user share it, and it may be deleted at any time.
//
//	sha256/9f/9f86d081…         a file, complete, verified, for reading only
//	trees/5d41402a…             a folder of such files
//	….part                      beside either: what is not complete yet
//	….used                      beside either: an empty file, of the time of the last use
//	tmp/…                       what nobody but its maker can make anything of
//
// Who works on a part has it locked, so that others wait for it; who was told
// the path of a complete entry has it locked together with others of his kind,
// so that it stays. A lock ends with its process, however that ends: a part that
// was left behind is taken up by the next. Where the file system has no locks,
// each process works for itself, under tmp.
const (
	partSuffix = ".part"
	usedSuffix = ".used"
)

var (
	errLocked = errors.New("others have it locked")

	// errOvertaken says that what was waited for, or worked on, is no longer
	// under its name: somebody completed it, or deleted the cache. Look again.
	errOvertaken = errors.New("somebody else was faster")
)

// mostTries is how often one looks again: whoever deletes the cache all the time
// must be told.
const mostTries = 8

// isAt reports whether an open file is the one under a path.
func isAt(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

// use is a lock on an entry, on behalf of those who were told its path.
type use struct {
	file *os.File
	by   map[<-chan struct{}]bool // the ends of their contexts
}

// staying is a path that find finds, and what the cache has there stays until ctx
// ends.
func (f *Files) staying(ctx context.Context, find func() (string, error)) (string, error) {
	for range mostTries {
		path, err := find()
		if err != nil || f.keepUntil(ctx, path) {
			return path, err
		}
	}
	return "", cacheError(errOvertaken)
}

// keepUntil makes an entry of the cache stay until ctx ends, as far as this
// machine can see to it. It is false where the entry is not there any more.
func (f *Files) keepUntil(ctx context.Context, path string) (there bool) {
	if f.cacheDir == "" || !strings.HasPrefix(path, f.cacheDir+string(filepath.Separator)) {
		return true // the user's own, or the store's
	}
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	for pause := time.Millisecond; ; pause = min(2*pause, longestPause) {
		if err = tryLock(file, false); !errors.Is(err, errLocked) {
			break
		}
		if sleep(ctx, pause) != nil { // whoever has it is about to finish, or to remove it
			break
		}
	}
	if err != nil || !isAt(file, path) {
		there = isAt(file, path)
		file.Close()
		return there
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	u, ok := f.uses[path]
	switch {
	case !ok:
		u = &use{file: file, by: map[<-chan struct{}]bool{}}
		f.uses[path] = u
	case isAt(u.file, path):
		file.Close()
	default: // the old one was replaced
		u.file.Close()
		u.file = file
	}
	if done := ctx.Done(); !u.by[done] {
		u.by[done] = true
		context.AfterFunc(ctx, func() { f.letGo(path, done) })
	}
	return true
}

func (f *Files) letGo(path string, done <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, ok := f.uses[path]
	if !ok {
		return
	}
	if delete(u.by, done); len(u.by) == 0 {
		u.file.Close()
		delete(f.uses, path)
	}
}

// usedAgain is how often the time of the last use is written down.
const usedAgain = 10 * time.Minute

// touch remembers that an entry was used just now.
func (f *Files) touch(path string) {
	now := f.now()
	if now.Sub(lastUse(path)) < usedAgain {
		return
	}
	if file, err := openfile.RegularFile(path+usedSuffix, os.O_WRONLY|os.O_CREATE, 0o644); err == nil {
		file.Close()
		os.Chtimes(file.Name(), now, now)
	}
}

// lastUse is when an entry was used last, or made.
func lastUse(path string) (last time.Time) {
	for _, suffix := range []string{usedSuffix, "", partSuffix} {
		if info, err := os.Stat(path + suffix); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}
