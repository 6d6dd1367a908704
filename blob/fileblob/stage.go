package fileblob

import (
	"bytes"
	"cmp"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/sparse"
)

const (
	fileMode = 0o444 // what is stored never changes
	dirMode  = 0o777 // the umask and the root decide who else may write; see team

	// maxTries bounds the races with processes that remove empty folders.
	maxTries = 100
)

// staged is a complete file that waits to be published.
type staged struct {
	file  *os.File
	name  string // of the temporary file; "" if it has none
	links uint64 // names that it has before it is published
	spent bool   // lost a name: Linux links no unnamed file twice
	attributes
}

// stage copies a body into a file that nobody sees yet, on the file system of
// the folder that it will be published in.
func (s *store) stage(ctx context.Context, dir string, body io.Reader, size int64, durable bool) (*staged, error) {
	st, err := s.newStaged(dir)
	if err != nil {
		return nil, classify(err)
	}
	if err := s.fill(ctx, st, body, size, durable); err != nil {
		st.discard()
		return nil, err
	}
	return st, nil
}

// newStaged makes the file: unnamed if possible, so that a killed process
// leaves nothing.
func (s *store) newStaged(dir string) (*staged, error) {
	var file *os.File
	var err error
	if !s.named.Load() {
		err = s.withFolder(dir, func() (err error) { file, err = openUnnamed(dir); return err })
		if err == nil {
			return &staged{file: file}, nil
		}
		if !errors.Is(err, errNoUnnamed) {
			return nil, err
		}
		s.named.Store(true)
	}
	name := filepath.Join(s.tempDir(), crand.Text())
	err = s.withFolder(s.tempDir(), func() (err error) {
		file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &staged{file: file, name: name, links: 1}, nil
}

// withFolder does something in a folder. Only if the folder is missing, it
// makes it and tries again. In a folder that is just being removed, ext4
// refuses unnamed files with EPERM rather than ENOENT.
func (s *store) withFolder(dir string, do func() error) (err error) {
	for range maxTries {
		if err = do(); errors.Is(err, syscall.ENOTDIR) {
			break
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EPERM) {
			return err
		}
		// Both errors come from folders that appear or vanish meanwhile.
		if err := s.makeFolders(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return cmp.Or(obstacle(dir), err)
		}
	}
	return cmp.Or(obstacle(dir), err)
}

// fill writes the body and settles the identity of the file.
func (s *store) fill(ctx context.Context, st *staged, body io.Reader, size int64, durable bool) error {
	if err := st.copy(ctx, body, size); err != nil {
		return err
	}
	if err := st.date(); err != nil {
		return classify(err)
	}
	s.team().admit(st.file, st.attributes)
	if durable {
		return classify(st.file.Sync())
	}
	return nil
}

func (st *staged) copy(ctx context.Context, body io.Reader, size int64) error {
	var copied int64
	var err error
	if small, ok := body.(*bytes.Reader); ok {
		copied, err = small.WriteTo(st.file) // in one write
	} else {
		limit := size + 1 // to see a body that is too long
		if size < 0 {
			limit = 1<<63 - 1
		}
		holes := sparse.New(st.file, 0)
		var to io.Writer = holes
		if from, ok := body.(*os.File); ok && sparse.Dense(from) {
			to = st.file
		}
		if copied, err = copyChunks(ctx, to, body, limit); err == nil {
			err = holes.Close()
		}
	}
	if err != nil {
		return classify(err)
	}
	if size >= 0 && copied != size {
		length := fmt.Sprint(copied, " bytes")
		if copied > size {
			length = "more bytes"
		}
		return invalid("the body has %s than the %d that were announced; nothing was written", length, size)
	}
	return nil
}

// copyChunks copies up to limit bytes, and checks the context now and then.
// Between files the kernel copies (copy_file_range(2)).
func copyChunks(ctx context.Context, w io.Writer, r io.Reader, limit int64) (copied int64, err error) {
	const chunk = 16 << 20
	for copied < limit {
		if err := ctx.Err(); err != nil {
			return copied, err
		}
		want := min(chunk, limit-copied)
		n, err := io.Copy(w, &io.LimitedReader{R: r, N: want})
		copied += n
		if err != nil || n < want {
			return copied, err
		}
	}
	return copied, nil
}

// date turns the time of the file back by a random part of a millisecond.
// Otherwise the file could be taken for one that was just removed: it may get
// the same inode, and the kernel's clock for files stands still for up to 10
// ms.
func (st *staged) date() error {
	a, err := statOf(st.file)
	if err != nil {
		return err
	}
	if err := st.setTime(time.Unix(0, a.mtime-rand.Int64N(int64(time.Millisecond)))); err != nil {
		return err
	}
	st.attributes, err = statOf(st.file) // as exact as the file system keeps it
	return err
}

// publish gives the file its name, unless that is taken.
func (st *staged) publish(path string) error {
	err := st.link(path)
	if err == nil {
		return nil
	}
	// On NFS, the link may exist though the reply said otherwise, because the
	// client sends a request again if the reply is lost (open(2), under
	// O_EXCL).
	if a, statErr := statOf(st.file); statErr == nil && a.links > st.links {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w (or the file system knows no hard links)", err)
	}
	return err
}

// discard drops the file; if it was published, only its temporary name.
func (st *staged) discard() {
	st.file.Close()
	if st.name != "" {
		os.Remove(st.name)
	}
}

// syncFolders makes durable the name of path, and the names of the folders
// above it, up to the root's.
func (s *store) syncFolders(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		err := syncFolder(dir)
		if len(dir) < len(s.dir) && errors.Is(err, fs.ErrPermission) {
			return nil // above the root, which others made
		}
		if err != nil {
			return classify(err)
		}
		if len(dir) < len(s.dir) || dir == filepath.Dir(dir) || !strings.HasPrefix(dir+"/", s.prefix) {
			return nil
		}
	}
}
