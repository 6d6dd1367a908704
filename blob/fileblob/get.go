package fileblob

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/TrilliantHealth/mops-go/blob/driver"
)

// Slurp appends a blob to buf.
func (s *store) Slurp(ctx context.Context, key string, buf []byte, limit int64) (_ []byte, _ driver.Info, err error) {
	if err := ctx.Err(); err != nil {
		return buf, driver.Info{}, err
	}
	if data, info, done, err := s.slurpQuick(key, buf, limit); done {
		return data, info, err
	}
	defer s.letIn(&err)
	path, err := s.path(key)
	if err != nil {
		return buf, driver.Info{}, err
	}
	f, err := find(ctx, path)
	if err != nil {
		return buf, driver.Info{}, err
	}
	defer f.file.Close()
	if err := driver.CheckSize(f.size, limit); err != nil {
		return buf, f.info(key, f.version), err
	}
	end := len(buf) + int(f.size)
	data := slices.Grow(buf, int(f.size))[:end]
	if _, err := io.ReadFull(f.file, data[len(buf):]); err == io.EOF {
		return buf, driver.Info{}, classify(io.ErrUnexpectedEOF)
	} else if err != nil {
		return buf, driver.Info{}, classify(err)
	}
	return data, f.info(key, f.version), nil
}

// Get opens a blob.
func (s *store) Get(ctx context.Context, key string, part driver.Range) (_ io.ReadCloser, _ driver.Info, err error) {
	defer s.letIn(&err)
	if part.Offset < 0 || part.Length < 0 {
		return nil, driver.Info{}, invalid("a range cannot start at %d with %d bytes", part.Offset, part.Length)
	}
	path, err := s.path(key)
	if err != nil {
		return nil, driver.Info{}, err
	}
	f, err := find(ctx, path)
	if err != nil {
		return nil, driver.Info{}, err
	}
	info := f.info(key, f.version)
	length := max(0, f.size-part.Offset)
	if part.Length > 0 {
		length = min(length, part.Length)
	}
	if part.Offset > 0 && length > 0 {
		if _, err := f.file.Seek(part.Offset, io.SeekStart); err != nil {
			f.file.Close()
			return nil, driver.Info{}, classify(err)
		}
	}
	return &body{file: f.file, rest: io.LimitedReader{R: f.file, N: length}}, info, nil
}

// body reads so many bytes of a file, and fails if there are fewer.
type body struct {
	file *os.File
	rest io.LimitedReader
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.rest.Read(p)
	if err == io.EOF && b.rest.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// WriteTo lets io.Copy use the kernel's own ways of copying files.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, &b.rest)
	if err == nil && b.rest.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) Close() error { return b.file.Close() }

// Stat describes a blob.
func (s *store) Stat(ctx context.Context, key string) (_ driver.Info, err error) {
	defer s.letIn(&err)
	path, err := s.path(key)
	if err != nil {
		return driver.Info{}, err
	}
	f, err := find(ctx, path)
	if err != nil {
		return driver.Info{}, err
	}
	defer f.file.Close()
	return f.info(key, f.version), nil
}

// LocalPath is the file of the newest version.
func (s *store) LocalPath(ctx context.Context, key string) (_ string, err error) {
	defer s.letIn(&err)
	path, err := s.path(key)
	if err != nil {
		return "", err
	}
	f, err := find(ctx, path)
	if err != nil {
		return "", err
	}
	defer f.file.Close()
	return f.version.at(path), nil
}
