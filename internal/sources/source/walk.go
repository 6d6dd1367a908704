package source

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
)

// found is one file of a folder.
type found struct {
	name       string // with slashes, relative to the folder
	path       string
	executable bool
}

// walk lists the files of a folder, sorted, and its empty folders. It follows
// symbolic links.
func walk(root string) (files []found, empty []string, err error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, nil, filehash.Readable(root, err)
	}
	w := walker{above: []fs.FileInfo{info}}
	if err := w.folder(root, ""); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(w.files, func(a, b found) int { return strings.Compare(a.name, b.name) })
	return w.files, w.empty, nil
}

type walker struct {
	files []found
	empty []string
	above []fs.FileInfo // the folders on the way down to here
}

func (w *walker) folder(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return filehash.Readable(dir, err)
	}
	if len(entries) == 0 && name != "" {
		w.empty = append(w.empty, name)
	}
	for _, e := range entries {
		path, below := filepath.Join(dir, e.Name()), e.Name()
		if name != "" {
			below = name + "/" + below
		}
		if !utf8.ValidString(e.Name()) {
			return fmt.Errorf("source %q: the name is not valid UTF-8, so it means nothing on other machines: rename it", path)
		}
		if err := w.entry(e, path, below); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(e fs.DirEntry, path, name string) error {
	info, err := os.Stat(path)
	if err != nil {
		return filehash.Readable(path, err)
	}
	if !info.IsDir() {
		if err := filehash.Regular(path, info); err != nil {
			return err
		}
		w.files = append(w.files, found{name, path, info.Mode()&0o100 != 0})
		return nil
	}
	if e.Type()&fs.ModeSymlink != 0 {
		for _, above := range w.above {
			if os.SameFile(above, info) {
				return fmt.Errorf("source %s: a symbolic link to a folder that it lies in, so the folder has no end: remove it", path)
			}
		}
	}
	w.above = append(w.above, info)
	err = w.folder(path, name)
	w.above = w.above[:len(w.above)-1]
	return err
}
