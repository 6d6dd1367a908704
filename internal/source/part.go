package source

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/openfile"
)

// part is a file of the cache that is not complete yet. Behind the place of its
// last byte stands, in eight bytes, how much is complete from the first on.
type part struct {
	*os.File
	shared bool // who comes next goes on with it
}

const markSize = 8

func (f *Files) openPart(ctx context.Context, path string) (*part, error) {
	file, err := f.takePart(ctx, path, openPartFile)
	if err == nil && file != nil {
		return &part{file, true}, nil
	}
	if err == nil {
		file, err = f.tempFile()
	}
	return &part{file, false}, err
}

// complete is how much of a part is there.
func (p *part) complete(size int64) int64 {
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

func (p *part) setComplete(n, size int64) error {
	_, err := p.WriteAt(binary.BigEndian.AppendUint64(nil, uint64(n)), size)
	return err
}

// giveUp leaves the part for the next one, unless nobody can go on with it.
func (p *part) giveUp(size int64, why error) {
	_, ours := errors.AsType[*cacheFailure](why) // most often the disk is full
	if p.shared && !ours && size != unknownSize && p.complete(size) > 0 {
		return
	}
	if isAt(p.File, p.Name()) {
		os.Remove(p.Name())
	}
}

// defaultPatience is how long others wait for a part that shows no sign of life:
// its maker may have been suspended.
const defaultPatience = 2 * time.Minute

// longestPause is between two looks at a lock: to wait for one in the system
// would heed no context.
const longestPause = 100 * time.Millisecond

// takePart opens the part of an entry that is not there, or begins it, and waits
// while others work on it. It is nil where one has to work for oneself.
func (f *Files) takePart(ctx context.Context, path string, open func(string) (*os.File, error)) (part *os.File, err error) {
	file, err := open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			file, err = open(path)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errOvertaken // made, and removed by who makes room, before it was opened
	}
	if isOdd(err) {
		return nil, cmp.Or(f.discard(path), errOvertaken)
	}
	if err != nil {
		return nil, cacheError(err)
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
			return nil, errOvertaken
		case locked == nil:
			if _, err := os.Lstat(strings.TrimSuffix(path, partSuffix)); err == nil {
				f.discard(path) // it became complete just before we began this one
				return nil, errOvertaken
			}
			return file, nil
		case !errors.Is(locked, errLocked):
			os.Remove(path) // nobody has any use for it
			return nil, nil
		}
		info, err := file.Stat()
		if err == nil && !info.ModTime().Equal(changed) {
			changed, since = info.ModTime(), time.Now()
		}
		if time.Since(since) > f.patience {
			f.log.WarnContext(ctx, "another process has made no progress with this part and still has it locked; not waiting for it any longer", "part", path)
			return nil, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// signs is how many signs of life of a part others see before they lose patience.
const signs = 8

// alive shows those who wait that a part is being worked on, until end is called.
func (f *Files) alive(part *os.File) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(f.patience / signs)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				os.Chtimes(part.Name(), now, now)
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

// isOdd says of an error of opening a part that it can be none: it is a folder, or
// none, a link, a pipe.
func isOdd(err error) bool {
	_, irregular := errors.AsType[*openfile.IrregularError](err)
	return irregular || isLoop(err) || errors.Is(err, syscall.ENOTDIR)
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
