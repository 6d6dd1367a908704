// Package archive copies a file, or a folder with all that is in it, as a stream in
// tar format: [Pack] writes one, [Unpack] writes to disk what one holds, and trusts
// nobody who sent it. [Serve] lets a program do both in a pod that has no tar. It
// stands alone: the tool's command k8s cp and package mops use it.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

// Count is what was copied.
type Count struct {
	Files int64    `json:"files"`
	Bytes int64    `json:"bytes"`
	Notes []string `json:"notes"` // what was left out, and why

	Entries int64 `json:"-"` // files, folders and links
}

func (c *Count) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// Pack writes what is at a path, under a name. A link is followed if it is the path
// itself; those below are kept as links.
func Pack(w io.Writer, from, name string) (c Count, err error) {
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return c, err
	}
	out := tar.NewWriter(w)
	err = filepath.WalkDir(from, func(file string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return c.pack(out, file, path.Join(name, filepath.ToSlash(below)))
	})
	if err != nil {
		return c, err
	}
	return c, out.Close()
}

func (c *Count) pack(out *tar.Writer, file, name string) error {
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	link := ""
	switch kind := info.Mode().Type(); kind {
	case 0, fs.ModeDir:
	case fs.ModeSymlink:
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	default:
		c.note("%s is no file, no folder and no link", file)
		return nil
	}
	header, err := tar.FileInfoHeader(info, filepath.ToSlash(link))
	if err != nil {
		return err
	}
	header.Name = name
	header.ModTime = header.ModTime.Truncate(time.Second)             // tar would round, and warn of what lies ahead
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", "" // whoever unpacks owns it
	if info.IsDir() {
		header.Name += "/"
	}
	c.Entries++
	if !info.Mode().IsRegular() {
		return out.WriteHeader(header)
	}
	content, err := openfile.Regular(file)
	if err != nil {
		return err
	}
	defer content.Close()
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	n, err := io.CopyN(out, content, header.Size) // a log may grow meanwhile
	c.Files, c.Bytes = c.Files+1, c.Bytes+n
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s became shorter while it was copied", file)
	}
	return err
}
