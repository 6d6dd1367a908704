package fingerprint

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dependency is what counts of a module with a version.
type dependency struct {
	module *module
	sum    hashed
}

// dependencies finds the modules of all packages that what counts uses and that
// are not followed, with the packages that those import. A module counts by the
// content of these packages: a version that changes none of them changes
// nothing, and neither does it matter whether they lie in a folder vendor, where
// somebody may have changed them. The module of mops does not count.
//
// To follow them by declaration, too, replace content by what of it is reached.
func (r *reach) dependencies() error {
	byModule := map[string][]*pkg{}
	seen := map[*pkg]bool{}
	var add func(*pkg)
	add = func(p *pkg) {
		if seen[p] || p.Standard || p.follow || p.Module == nil || p.Module.Path == mopsPath {
			return
		}
		seen[p] = true
		byModule[p.Module.Path] = append(byModule[p.Module.Path], p)
		for _, to := range p.imports {
			add(to)
		}
	}
	for p := range r.opaque {
		add(p)
	}
	for _, list := range byModule {
		slices.SortFunc(list, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
		h := sha256.New()
		if before122("go" + list[0].Module.GoVersion) {
			write(h, "before go1.22")
		}
		for _, p := range list {
			sum, err := p.content()
			if err != nil {
				return err
			}
			write(h, p.ImportPath)
			h.Write(sum[:])
		}
		r.modules = append(r.modules, dependency{list[0].Module, hashed(h.Sum(nil))})
	}
	slices.SortFunc(r.modules, func(a, b dependency) int { return strings.Compare(a.module.Path, b.module.Path) })
	return nil
}

// content is the hash over all files of a package that are built.
func (p *pkg) content() (hashed, error) {
	if p.contents != nil {
		return *p.contents, nil
	}
	names := slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.FFiles, p.HFiles,
		p.SwigFiles, p.SwigCXXFiles, p.SFiles, p.SysoFiles, p.EmbedFiles)
	slices.Sort(names)
	h := sha256.New()
	for _, name := range slices.Compact(names) {
		file, err := os.Open(filepath.Join(p.Dir, name))
		if err != nil {
			return hashed{}, err
		}
		info, err := file.Stat()
		if err == nil {
			write(h, filepath.ToSlash(name), fmt.Sprint(info.Size()))
			_, err = io.Copy(h, file)
		}
		file.Close()
		if err != nil {
			return hashed{}, err
		}
	}
	p.contents = (*hashed)(h.Sum(nil))
	return *p.contents, nil
}
