package fileblob

import (
	"context"
	crand "crypto/rand"
	"os"
	"path/filepath"
	"time"
)

// tempAge is the age at which a temporary file counts as left over.
const tempAge = 24 * time.Hour

// Now is the time by the clock of the file system, which on NFS is the
// server's: the time that a new file gets.
func (s *store) Now(ctx context.Context) (_ time.Time, err error) {
	defer s.letIn(&err)
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	name := filepath.Join(s.tempDir(), "clock-"+crand.Text())
	var file *os.File
	err = s.withFolder(s.tempDir(), func() (err error) {
		file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return time.Time{}, classify(err)
	}
	defer os.Remove(name)
	defer file.Close()
	if _, err := file.Write([]byte{0}); err != nil { // a write makes the server date the file
		return time.Time{}, classify(err)
	}
	info, err := file.Stat()
	if err != nil {
		return time.Time{}, classify(err)
	}
	return info.ModTime(), nil
}

// sweep removes temporary files that a killed process left over. It does what
// it can and ignores errors.
func (s *store) sweep(ctx context.Context) {
	entries, err := os.ReadDir(s.tempDir())
	if err != nil || len(entries) == 0 {
		return
	}
	now, err := s.Now(ctx)
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > tempAge {
			os.RemoveAll(filepath.Join(s.tempDir(), e.Name()))
		}
	}
}
