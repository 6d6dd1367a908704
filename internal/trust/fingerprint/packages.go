package fingerprint

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Package is a package that the patterns of [Load] name.
type Package struct {
	Path, Name, Dir string
	Files           []string // with Go, that are built; without the lock
	Ignored         []string // with Go, that build constraints leave out
	Imports         bool     // mops, so that it may define functions
	Err             error    // why it could not be looked at, once it should have been
}

// Packages are the packages that the patterns of [Load] name, but for those of
// modules with versions: they are as they are.
func (p *Program) Packages() (all []Package) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, each := range p.matched {
		if each.Standard || !each.Module.local() {
			continue
		}
		listed := Package{each.ImportPath, each.Name, each.Dir, each.parsed(), each.IgnoredGoFiles, each.importsPackage(mopsPath), nil}
		switch {
		case each.checked != nil:
			listed.Err = each.compiles()
		case each.Error != nil:
			listed.Err = each.listError()
		}
		all = append(all, listed)
	}
	return all
}

func (p *pkg) listError() error {
	return fmt.Errorf("package %s: %s", p.ImportPath, strings.TrimSpace(p.Error.Pos+" "+p.Error.Err))
}

func (p *pkg) importsPackage(path string) bool {
	return p.ImportPath != path && slices.Contains(p.Imports, path)
}

// Go is the minor version of Go that counts, such as go1.26.
func (p *Program) Go() string { return p.goMinor }

// Workspace is the path of the file go.work, or "".
func (p *Program) Workspace() string { return p.workspace }

// Source is a package whose files may change without another version.
type Source struct {
	Dir       string
	ModuleDir string
	GoMod     string   // of its module; "" for a folder vendor
	Embeds    []string // patterns of go:embed directives
}

// Sources are the packages that the functions of a package depend on, and whose
// files may change.
func (p *Program) Sources(path string) (all []Source) {
	home := p.packages[path]
	if home == nil {
		return nil
	}
	for _, each := range home.closure() {
		if each.Standard || each.Dir == "" || p.modCache != "" && strings.HasPrefix(each.Dir, p.modCache+string(filepath.Separator)) {
			continue
		}
		s := Source{Dir: each.Dir, Embeds: each.EmbedPatterns}
		if each.Module != nil && each.Module.Dir != "" {
			s.ModuleDir, s.GoMod = each.Module.Dir, each.Module.GoMod
		}
		all = append(all, s)
	}
	return all
}
