package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// archive is a file to download and to unpack.
type archive struct {
	program
	name, hash string
}

// beside are the files of the repository that go with the program.
var beside = []string{"LICENSE", "README.md", "CHANGELOG.md"}

func (p program) fileName(suffix string) string {
	return fmt.Sprintf("mops_%s_%s_%s%s", p.version, p.system, p.architecture, suffix)
}

func (p program) writeArchive(source string, extras []extra, out string) (archive, error) {
	a := archive{program: p, name: p.fileName(".tar.gz")}
	path := filepath.Join(out, a.name)
	file, err := os.Create(path)
	if err != nil {
		return a, err
	}
	compressed := gzip.NewWriter(file)
	contents := tar.NewWriter(compressed)
	err = p.addFile(contents, p.path, "mops", 0o755)
	for _, name := range beside {
		err = errors.Join(err, p.addFile(contents, filepath.Join(source, name), name, 0o644))
	}
	for _, e := range extras {
		err = errors.Join(err, p.addFile(contents, e.path, e.name, 0o644))
	}
	if err := errors.Join(err, contents.Close(), compressed.Close(), file.Close()); err != nil {
		return a, err
	}
	a.hash, err = hashOf(path)
	return a, err
}

// addFile adds a file without anything of this machine: its owner is root, its time
// that of the commit.
func (p program) addFile(contents *tar.Writer, path, name string, mode int64) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := contents.WriteHeader(&tar.Header{
		Name: name, Mode: mode, Size: int64(len(text)), ModTime: p.made, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
	}); err != nil {
		return err
	}
	_, err = contents.Write(text)
	return err
}
