package localcache

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Part is an incomplete entry on which this process works alone.
type Part struct {
	*os.File        // nil for a folder that no other process sees
	Path     string // where it lies

	shared bool // under the name of its entry: others wait for it, and continue it
	idle   func()
}

// FilePart opens or begins the part of an entry that is not there. While
// another process works on it, FilePart waits; when that process is done, the
// error is ErrOvertaken.
func (f *Folder) FilePart(ctx context.Context, path string) (*Part, error) {
	file, err := f.takePart(ctx, path+PartSuffix, openPartFile)
	if err != nil || file != nil {
		return f.part(file, path+PartSuffix, true, err)
	}
	if file, err = f.tempFile(); err != nil {
		return nil, err
	}
	return f.part(file, file.Name(), false, nil)
}

// FolderPart is FilePart for an entry that is a folder.
func (f *Folder) FolderPart(ctx context.Context, path string) (*Part, error) {
	file, err := f.takePart(ctx, path+PartSuffix, openPartFolder)
	if err != nil || file != nil {
		return f.part(file, path+PartSuffix, true, err)
	}
	temp, err := f.tempFolder()
	return f.part(nil, temp, false, err)
}

func (f *Folder) part(file *os.File, path string, shared bool, err error) (*Part, error) {
	if err != nil {
		return nil, err
	}
	return &Part{file, path, shared, showLife(path, f.Patience/signs)}, nil
}

// markSize is the size of the mark. It lies behind the place of the file's last
// byte, and says in eight bytes how many bytes are complete from the first on.
const markSize = 8

// Complete is how many bytes of a file of that size are there.
func (p *Part) Complete(size int64) int64 {
	var mark [markSize]byte
	if info, err := p.Stat(); err != nil || info.Size() != size+markSize {
		return 0
	}
	if _, err := p.ReadAt(mark[:], size); err != nil {
		return 0
	}
	n := binary.BigEndian.Uint64(mark[:])
	if n > uint64(size) {
		return 0
	}
	return int64(n)
}

// SetComplete notes that n bytes of a file of that size are there.
func (p *Part) SetComplete(n, size int64) error {
	_, err := p.WriteAt(binary.BigEndian.AppendUint64(nil, uint64(n)), size)
	return Failure(err)
}

// PublishFolder gives a complete folder the path of its entry.
func (p *Part) PublishFolder(path string) error {
	err := os.Rename(p.Path, path)
	if errors.Is(err, fs.ErrExist) { // made by a process that did not wait for us
		return ErrOvertaken
	}
	return Failure(err)
}

// Overtaken reports whether the part is no longer under its name, because
// something deleted it.
func (p *Part) Overtaken() bool { return p.shared && !isAt(p.File, p.Path) }

// Close ends the work on a part. A useful part stays if others can find it.
func (p *Part) Close(useful bool) {
	p.idle()
	if !p.shared || !useful && !p.Overtaken() {
		os.RemoveAll(p.Path)
	}
	if p.File != nil {
		p.File.Close()
	}
}

// longestPause is the pause between two tries of a lock: waiting for it inside
// the system would heed no context.
const longestPause = 100 * time.Millisecond

var errLocked = errors.New("others have it locked")

// takePart opens or begins a part, and waits while others work on it. It
// returns nil if this process has to work for itself.
func (f *Folder) takePart(ctx context.Context, path string, open func(string) (*os.File, error)) (part *os.File, err error) {
	var file *os.File
	err = place(path, func() (err error) { file, err = open(path); return err })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrOvertaken // made, and swept away, before it was opened
	}
	if isOdd(err) {
		return nil, cmp.Or(f.Remove(path), ErrOvertaken)
	}
	if err != nil {
		return nil, Failure(err)
	}
	defer func() {
		if part == nil {
			file.Close()
		}
	}()
	var changed, since time.Time
	for pause := time.Millisecond; ; pause = min(2*pause, longestPause) {
		locked := tryLock(file, true)
		switch {
		case !isAt(file, path):
			return nil, ErrOvertaken
		case locked == nil:
			if _, err := os.Lstat(strings.TrimSuffix(path, PartSuffix)); err == nil {
				f.Remove(path) // another process completed it just before we began this one
				return nil, ErrOvertaken
			}
			return file, nil
		case !errors.Is(locked, errLocked):
			os.Remove(path) // without locks it is of no use to anybody
			return nil, nil
		}
		info, err := file.Stat()
		if err == nil && !info.ModTime().Equal(changed) {
			changed, since = info.ModTime(), time.Now()
		}
		if time.Since(since) > f.Patience {
			f.Log.WarnContext(ctx, "another process has made no progress with this part and still has it locked; not waiting for it any longer", "part", path)
			return nil, nil
		}
		if !sleep.For(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}

// signs is how many signs of life others see before they lose patience.
const signs = 8

// showLife shows others that wait for a part that work on it goes on, until end
// is called.
func showLife(path string, every time.Duration) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				os.Chtimes(path, now, now)
			case <-stop:
				return
			}
		}
	}()
	return func() { close(stop); <-done }
}

func openPartFile(path string) (*os.File, error) {
	return openfile.RegularFile(path, os.O_RDWR|os.O_CREATE|openfile.NoFollow, 0o600)
}

func openPartFolder(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return openfile.Folder(path, openfile.NoFollow)
}

// isOdd reports whether opening a part failed because of its kind: a folder
// instead of a file or the reverse, a link, a pipe.
func isOdd(err error) bool {
	_, irregular := errors.AsType[*openfile.IrregularError](err)
	return irregular || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR)
}
