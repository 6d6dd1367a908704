package localcache

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Suffixes of the files beside an entry; see the package's comment.
const (
	PartSuffix = ".part"
	usedSuffix = ".used"
)

// use is a lock on an entry, on behalf of the callers that know its path.
type use struct {
	file *os.File
	by   map[<-chan struct{}]bool // done channels of their contexts
}

// Hold returns a path that find finds. If it is an entry, it stays until ctx
// ends, as far as this machine can ensure that.
func (f *Folder) Hold(ctx context.Context, find func() (string, error)) (path string, err error) {
	err = Try(func() error {
		if path, err = find(); err == nil && !f.hold(ctx, path) {
			err = ErrOvertaken
		}
		return err
	})
	return path, err
}

// hold returns false if the entry is gone.
func (f *Folder) hold(ctx context.Context, path string) (there bool) {
	if f.Dir == "" || !strings.HasPrefix(path, f.Dir+string(filepath.Separator)) {
		return true // not in this folder
	}
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	for pause := time.Millisecond; ; pause = min(2*pause, longestPause) {
		if err = tryLock(file, false); !errors.Is(err, errLocked) {
			break
		}
		if !sleep.For(ctx, pause) { // the lock's holder is about to finish, or to remove the entry
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
	default: // the old entry was replaced
		u.file.Close()
		u.file = file
	}
	if done := ctx.Done(); !u.by[done] {
		u.by[done] = true
		context.AfterFunc(ctx, func() { f.letGo(path, done) })
	}
	return true
}

func (f *Folder) letGo(path string, done <-chan struct{}) {
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

// usedAgain is how often the time of the last use is written down: so most uses
// write nothing.
const usedAgain = 10 * time.Minute

// Touch notes that an entry was used just now, and leaves the entry's own times
// alone.
func (f *Folder) Touch(path string) {
	now := f.Now()
	if now.Sub(lastUse(path)) < usedAgain {
		return
	}
	if file, err := openfile.RegularFile(path+usedSuffix, os.O_WRONLY|os.O_CREATE, 0o644); err == nil {
		file.Close()
		os.Chtimes(file.Name(), now, now)
	}
}

// lastUse is when an entry was last used, or made.
func lastUse(path string) (last time.Time) {
	for _, suffix := range []string{usedSuffix, "", PartSuffix} {
		if info, err := os.Lstat(path + suffix); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}
