package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go"
)

// Folder is one package to be measured: the Go files of one folder, without
// those in folders below it, which are other packages.
type Folder struct {
	Path  string // import path
	Files []File
}

// File is one file. Its name is a part of the input, since it is a part of the
// result; a source alone is known by its content only.
type File struct {
	Name    string
	Content mops.Source
}

// standardLibrary is the folder with the source of the Go that is on the PATH.
func standardLibrary(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT, which tells where the standard library is: %w (say with -dir which folder to measure)", err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src"), nil
}

// findPackages lists the packages at and below dir that the go command would
// find there: vendor, testdata, other modules, and folders whose names begin
// with a dot or an underscore are left out.
func findPackages(dir string) ([]Folder, error) {
	prefix, err := importPath(dir)
	if err != nil {
		return nil, err
	}
	var found []Folder
	err = filepath.WalkDir(dir, func(folder string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		if folder != dir && (leftOut(entry.Name()) || isModule(folder)) {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(dir, folder)
		if err != nil {
			return err
		}
		files, err := goFiles(folder)
		if len(files) > 0 {
			found = append(found, Folder{path.Join(prefix, filepath.ToSlash(rel)), files})
		}
		return err
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%s: there is no Go package in it", dir)
	}
	return found, err
}

func leftOut(name string) bool {
	return name == "vendor" || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func goFiles(folder string) ([]File, error) {
	entries, err := os.ReadDir(folder) // sorted by name
	var files []File
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".go") && !leftOut(e.Name()) {
			files = append(files, File{e.Name(), mops.File(filepath.Join(folder, e.Name()))})
		}
	}
	return files, err
}

func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return !errors.Is(err, fs.ErrNotExist)
}

// importPath is the import path of dir in the module that it is in; "" when it
// is in none, and for the standard library as a whole.
func importPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for root := dir; ; root = filepath.Dir(root) {
		if module, found := modulePath(root); found {
			rel, err := filepath.Rel(root, dir)
			return strings.TrimSuffix(path.Join(module, filepath.ToSlash(rel)), "."), err
		}
		if root == filepath.Dir(root) {
			return "", nil
		}
	}
}

// modulePath is what the go.mod in dir says, "" for the standard library.
func modulePath(dir string) (module string, found bool) {
	file, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			if module = strings.Trim(strings.TrimSpace(rest), `"`); module == "std" {
				module = ""
			}
			return module, true
		}
	}
	return "", false
}
