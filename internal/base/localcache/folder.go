// Package localcache keeps copies of data from elsewhere in a folder of this
// machine, which all processes of a user share. Package blob keeps results in
// one, package source files and folders in another. It stands below both, and
// knows neither.
//
// # Entries
//
// An entry is a file or a folder whose name is a hash in hexadecimal. It
// appears under its name when it is complete, and is never written to after
// that:
//
//	9f/9f86d081…     an entry, in one of the shelves
//	….part           beside it: an incomplete entry that other processes can continue
//	….used           beside it: an empty file, dated with the last use
//	tmp/…            data of use to its maker only
//
// A reader proves by the hash that an entry is what it should be; this package
// proves nothing. So nothing is synced.
//
// # Who may remove what
//
//   - Anybody may delete the whole folder, or any part of it, at any time.
//     Every user of the folder expects that, and looks again.
//   - A reader that finds an entry wrong removes it ([Folder.Remove]).
//   - A sweep removes the entries with the oldest last use, until the folder is
//     within its bound. It leaves entries that a process has locked, or that
//     were used within KeepFor. It touches no file whose name is not that of an
//     entry.
//   - A process that works on a part has it locked, so that others wait for it.
//     Processes that use the path of an entry share a lock on it. A lock ends
//     with its process, however that ends: the next process goes on with a part
//     that was left behind. If the file system has no locks, each process works
//     for itself, under tmp.
//   - Data that lies under tmp for a day was left by a killed process. The next
//     process that needs tmp removes it.
package localcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/diskfull"
	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// Options are the settings of a Folder.
type Options struct {
	// Dir is the folder, made when needed. If empty, there are no entries.
	Dir string

	// Shelves are the folders below Dir that hold entries, at any depth.
	Shelves []string

	// Size bounds the size of all entries together, in bytes.
	Size int64

	// KeepFor is how long an entry stays after its last use.
	KeepFor time.Duration

	// Patience is how long others wait for a part that shows no sign of life:
	// its maker may have been suspended. Default: two minutes.
	Patience time.Duration

	// Now is the clock; default: time.Now.
	Now func() time.Time

	// Log gets what is worth knowing; default: nobody.
	Log *slog.Logger
}

// Folder is a folder of entries, as one process uses it. It is safe for
// concurrent use.
type Folder struct {
	Options
	clean sync.Once

	mu       sync.Mutex
	uses     map[string]*use // by path
	added    int64           // bytes since the last sweep began
	sweeping bool
	closed   bool
	sweeps   sync.WaitGroup
}

// New does no I/O.
func New(opts Options) *Folder {
	f := &Folder{Options: opts, uses: map[string]*use{}}
	f.Patience = cmp.Or(f.Patience, 2*time.Minute)
	if f.Now == nil {
		f.Now = time.Now
	}
	if f.Log == nil {
		f.Log = slog.New(slog.DiscardHandler)
	}
	f.added = rand.N(f.share())
	return f
}

// Close releases all entries, and waits for a sweep under way: otherwise many
// short programs would never finish one.
func (f *Folder) Close() {
	f.mu.Lock()
	f.closed = true
	for path, u := range f.uses {
		u.file.Close()
		delete(f.uses, path)
	}
	f.mu.Unlock()
	f.sweeps.Wait()
}

// ErrOvertaken says that the entry or part at hand is no longer under its name:
// another process completed it, or deleted the folder. Look again; see [Try].
var ErrOvertaken = errors.New("somebody else was faster")

// mostTries is how often to look again: if something deletes the folder all the
// time, the user must be told.
const mostTries = 64

// Try calls do again while the error is ErrOvertaken, up to a limit.
func Try(do func() error) error {
	for range mostTries {
		if err := do(); err != ErrOvertaken { // a wrapped one is a failure that another Try gave up on
			return err
		}
	}
	return Failure(ErrOvertaken)
}

// ErrFailed says that a cache folder of this machine failed: on another machine
// the same may succeed.
var ErrFailed = errors.New("the cache folder failed")

// Failure marks an error as one of the folder itself, most often a full disk.
func Failure(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &failure{err}
}

type failure struct{ err error }

func (e *failure) Error() string {
	room := "make room there"
	if diskfull.NoInodes(e.err) {
		room = "its disk has space, and no inodes: it can hold no more files (df -i): remove some"
	}
	return fmt.Sprintf("cache folder: %v; %s, or choose another cache folder with MOPS_CACHE", e.err, room)
}

func (e *failure) Unwrap() error        { return e.err }
func (e *failure) Is(target error) bool { return target == ErrFailed }

// tempFile makes a file that only its maker knows.
func (f *Folder) tempFile() (*os.File, error) {
	return inTemp(f, func(dir string) (*os.File, error) { return os.CreateTemp(dir, "file-*") })
}

func (f *Folder) tempFolder() (string, error) {
	return inTemp(f, func(dir string) (string, error) { return os.MkdirTemp(dir, "folder-*") })
}

// staleAfter is the age at which leftovers of killed processes are removed.
const staleAfter = 24 * time.Hour

// inTemp makes something in tmp, which may be deleted again and again.
func inTemp[T any](f *Folder, create func(dir string) (T, error)) (made T, err error) {
	dir := filepath.Join(f.Dir, "tmp")
	f.clean.Do(func() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
				os.RemoveAll(filepath.Join(dir, e.Name()))
			}
		}
	})
	for range mostTries {
		if made, err = create(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err = os.MkdirAll(dir, 0o700); err != nil {
			break
		}
	}
	return made, Failure(err)
}

// Writable finds out whether files can be added and removed.
func (f *Folder) Writable() error {
	probe, err := f.tempFile()
	if err == nil {
		probe.Close()
		err = os.Remove(probe.Name())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // something has just deleted the folder
	}
	return err
}

// Put makes an entry that is a file. If there is one already, the error is
// fs.ErrExist.
func (f *Folder) Put(path string, content []byte) error {
	file, err := f.tempFile()
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return Failure(err)
	}
	err = place(path, func() error {
		err := os.Link(file.Name(), path)
		if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Rename(file.Name(), path) // a file system without links
	})
	if err == nil {
		f.Added(int64(len(content)))
	}
	return err
}

// Publish gives a complete file the path of an entry.
func Publish(file *os.File, path string, mode fs.FileMode) error {
	if err := file.Chmod(mode); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return Failure(err)
	}
	if !isAt(file, file.Name()) {
		return ErrOvertaken
	}
	return Failure(place(path, func() error { return os.Rename(file.Name(), path) }))
}

// place calls do, which puts something at a path, and makes the folder for it
// if that is missing.
func place(path string, do func() error) error {
	err := do()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = do()
		}
	}
	return err
}

// Read reads an entry that is a file of at most so many bytes. That counts as a
// use.
func (f *Folder) Read(path string, most int64) ([]byte, error) {
	file, err := openfile.NoWait(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &openfile.IrregularError{Path: path, Mode: info.Mode()}
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("it has %d bytes, more than an entry can have", info.Size())
	}
	data := make([]byte, info.Size())
	if _, err = io.ReadFull(file, data); err != nil {
		return nil, err
	}
	if now := f.Now(); now.Sub(info.ModTime()).Abs() > usedAgain {
		os.Chtimes(path, now, now) // if this fails, the entry goes earlier
	}
	return data, nil
}

// Remove takes a file or a folder of the cache away at once, although deleting
// a folder takes time.
func (f *Folder) Remove(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	temp, tempErr := f.tempFolder()
	if tempErr != nil {
		return errors.Join(err, tempErr)
	}
	err = os.Rename(path, filepath.Join(temp, "it"))
	return cmp.Or(os.RemoveAll(temp), err)
}

// isAt reports whether an open file is the one under a path.
func isAt(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}
