package fingerprint

import (
	"context"
	"encoding/json"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// The lock of a package is in its folder, and no part of its code. A lock that
// the go command cannot read, after a merge for one, must not hinder.

// brokenLocks are the locks of all packages if something is wrong with any: it
// may be a lock, or what one imports.
func (p *Program) brokenLocks() (paths []string) {
	all := slices.Collect(maps.Values(p.packages))
	all = slices.DeleteFunc(all, func(each *pkg) bool { return each.Standard })
	if !slices.ContainsFunc(all, func(each *pkg) bool { return each.Error != nil }) {
		return nil
	}
	for _, each := range all {
		if lock := filepath.Join(each.Dir, code.LockFile); each.Dir != "" && exists(lock) {
			paths = append(paths, lock)
		}
	}
	return paths
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// listWithout lists again, as if some files were not there. What was matched
// remains so, even if nothing but a lock is in its folder.
func (p *Program) listWithout(ctx context.Context, paths, patterns []string) error {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, path := range paths {
		overlay.Replace[path] = ""
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "mops-overlay-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	before := p.matched
	if err := p.list(ctx, patterns, "-overlay="+file.Name()); err != nil {
		return err
	}
	for _, was := range before {
		if slices.Contains(paths, filepath.Join(was.Dir, code.LockFile)) {
			p.keepMatched(was)
		}
	}
	return nil
}

// keepMatched puts back a package which, but for its lock, has no Go file.
func (p *Program) keepMatched(was *pkg) {
	i := slices.IndexFunc(p.matched, func(each *pkg) bool { return each.Dir == was.Dir })
	if i >= 0 && len(p.matched[i].parsed()) > 0 {
		return
	}
	empty := &pkg{ImportPath: was.ImportPath, Dir: was.Dir, Module: was.Module}
	if i >= 0 {
		empty.IgnoredGoFiles = p.matched[i].IgnoredGoFiles
		delete(p.packages, p.matched[i].ImportPath)
		p.matched[i] = empty
	} else {
		p.matched = append(p.matched, empty)
	}
	p.packages[empty.ImportPath] = empty
}

// leaveOutLocks takes the locks out of the lists of files, and what they import
// out of those of imports.
func (p *Program) leaveOutLocks() {
	for _, each := range p.packages {
		i := slices.Index(each.GoFiles, code.LockFile)
		if i < 0 {
			continue
		}
		each.GoFiles = slices.Delete(slices.Clone(each.GoFiles), i, i+1)
		if !each.importsItself(mopsPath) {
			each.Imports = slices.DeleteFunc(slices.Clone(each.Imports), func(path string) bool { return path == mopsPath })
		}
	}
}

// importsItself says that a file of p imports a package.
func (p *pkg) importsItself(path string) bool {
	for _, name := range p.parsed() {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil {
			return true // which checking reports
		}
		for _, spec := range file.Imports {
			if imported, _ := strconv.Unquote(spec.Path.Value); p.resolve(imported) == path {
				return true
			}
		}
	}
	return false
}
