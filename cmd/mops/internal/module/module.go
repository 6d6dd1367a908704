// Package module reads what the Go module around a folder says of functions: the
// locks in it and, where there is a go command, the code that its sources have now.
// The commands that compare results with the code here use it.
package module

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// Module is a module or a workspace.
type Module struct {
	Dir      string
	patterns []string // all of its packages, for the go command

	walked bool
	locks  []lock
	loaded map[string]*program
}

// program is some packages, loaded.
type program struct {
	of      *fingerprint.Program
	defined []*fingerprint.Definition
	err     error
}

// Around finds the module that a folder is a part of.
func Around(dir string) (*Module, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", dir)
	}
	found := &Module{loaded: map[string]*program{}}
	for at := dir; ; at = filepath.Dir(at) {
		switch {
		case exists(filepath.Join(at, "go.work")) && os.Getenv("GOWORK") == "":
			found.Dir, found.patterns = at, []string{"work"}
		case found.Dir == "" && exists(filepath.Join(at, "go.mod")):
			found.Dir, found.patterns = at, []string{"./..."}
		}
		if filepath.Dir(at) == at || len(found.patterns) > 0 && found.patterns[0] == "work" {
			break
		}
	}
	if found.Dir == "" {
		return nil, fmt.Errorf("there is no go.mod in %s or above", dir)
	}
	return found, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Code is what a module says of the code of a function. What it does not say is
// empty, and Problem says why.
type Code struct {
	Version string            // of the function; "" if it is no constant
	Func    string            // such as example.com/forecast.train
	Source  *code.Fingerprint // by what the sources are now
	Lock    *code.Locked
	Problem string // in a line: why the source or all is missing
}

// Known is the code as far as it is known: by the source, else by the lock.
func (c *Code) Known() *code.Fingerprint {
	switch {
	case c.Source != nil:
		return c.Source
	case c.Lock != nil:
		return &c.Lock.Fingerprint
	}
	return nil
}

// Accepts says why results of code with a hash are as good as those of the code
// here: they are of the very same, or the lock declares it equal. It is not for
// code that is not known.
func (c *Code) Accepts(hash string) (same bool, equal *code.Same) {
	known := c.Known()
	if hash == known.Hash {
		return true, nil
	}
	if c.Lock == nil || c.Lock.Hash != known.Hash {
		return false, nil // the lock is not of this code
	}
	for i, s := range c.Lock.Same {
		if s.Hash == hash {
			return false, &c.Lock.Same[i]
		}
	}
	return false, nil
}

// Edited says that the source is not what its lock states.
func (c *Code) Edited() bool {
	return c.Source != nil && c.Lock != nil && c.Source.Hash != c.Lock.Hash
}

// Declare is the command that declares code with some hashes equal to the code
// here, for a reason: what the lock has goes by the name of the function alone.
func (c *Code) Declare(name, reason string, hashes ...string) string {
	command := "mops-lock"
	if c.Edited() {
		command += " --same " + name
	}
	for _, hash := range hashes {
		if !c.Edited() || !c.Lock.Accepts(hash) {
			command += " --same " + name + "=" + hash
		}
	}
	return fmt.Sprintf("%s %q", command, reason)
}

// Code looks for a function by its name. Where several packages define one of
// that name, it is that of the package which defined, such as
// example.com/forecast.train, lies in.
func (m *Module) Code(ctx context.Context, name, defined string) (*Code, error) {
	c := &Code{}
	at, err := m.lockOf(name, defined)
	if err != nil {
		c.Problem = err.Error()
	}
	if at != nil {
		c.Lock, c.Version, c.Func = &at.of, at.of.Version, at.of.Package
	}
	source, d, err := m.source(ctx, name, defined, at)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && c.Problem == "":
		c.Problem = text.FirstLine(err.Error())
	case err == nil:
		c.Source, c.Version, c.Func = source, d.Version, definedBy(d)
	}
	return c, nil
}

// definedBy is what records say of the place of a function; see
// record.Origin. Function literals go by their package.
func definedBy(d *fingerprint.Definition) string {
	if strings.HasSuffix(d.Func, ".func") {
		return d.Package
	}
	return d.Func
}

// source reads the code of a function as it is now. The package of its lock, or
// the one that the record names, comes first: it is sooner read than all.
func (m *Module) source(ctx context.Context, name, defined string, at *lock) (*code.Fingerprint, *fingerprint.Definition, error) {
	platform, likely := "", m.folder(defined)
	if at != nil {
		platform, likely = at.of.Platform, filepath.Dir(at.file)
	}
	if likely != "" {
		p := m.load(ctx, likely, platform, ".")
		if d, _ := p.find(name, defined); d != nil {
			return p.follow(ctx, d)
		}
	}
	p := m.load(ctx, m.Dir, platform, m.patterns...)
	d, err := p.find(name, defined)
	switch {
	case err != nil:
		return nil, nil, err
	case d != nil:
		return p.follow(ctx, d)
	case p.err != nil:
		return nil, nil, p.err
	}
	return nil, nil, fmt.Errorf("%s is not defined in the module at %s", name, m.Dir)
}

// folder is where the package lies that defined names, such as
// example.com/forecast.train; "" if it is not of this module.
func (m *Module) folder(defined string) string {
	text, err := os.ReadFile(filepath.Join(m.Dir, "go.mod"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "module ")
		if !ok {
			continue
		}
		below, ok := strings.CutPrefix(defined, strings.Trim(path, ` "`))
		if !ok || below != "" && below[0] != '/' && below[0] != '.' {
			return ""
		}
		slash := strings.LastIndexByte(below, '/') + 1
		last, _, _ := strings.Cut(below[slash:], ".")
		if dir := filepath.Join(m.Dir, filepath.FromSlash(below[:slash]+last)); exists(dir) {
			return dir
		}
	}
	return ""
}

func (m *Module) load(ctx context.Context, dir, platform string, patterns ...string) *program {
	key := strings.Join(append([]string{dir, platform}, patterns...), " ")
	if p := m.loaded[key]; p != nil {
		return p
	}
	p := &program{}
	m.loaded[key] = p
	if p.of, p.err = fingerprint.Load(ctx, fingerprint.Config{Dir: dir, Platform: platform}, patterns...); p.err == nil {
		p.defined, p.err = p.of.Definitions(ctx)
	}
	return p
}

// find is the definition of a name. The error says that there are several, and
// that it is not known which is meant.
func (p *program) find(name, defined string) (*fingerprint.Definition, error) {
	var all []*fingerprint.Definition
	for _, d := range p.defined {
		if d.Name == name {
			all = append(all, d)
		}
	}
	return one(all, name, defined, func(d *fingerprint.Definition) string { return d.Package })
}

func (p *program) follow(ctx context.Context, d *fingerprint.Definition) (*code.Fingerprint, *fingerprint.Definition, error) {
	f, err := p.of.Fingerprint(ctx, d)
	if err != nil {
		err = fmt.Errorf("the code of %s (%s:%d) cannot be followed: %w", d.Name, d.File, d.Line, err)
	}
	return f, d, err
}

// one is the one of a package, or the only one.
func one[T any](all []T, name, defined string, in func(T) string) (found T, err error) {
	own := slices.DeleteFunc(slices.Clone(all), func(each T) bool { return !strings.HasPrefix(defined, in(each)+".") && defined != in(each) })
	switch {
	case len(own) == 1:
		return own[0], nil
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return found, fmt.Errorf("several packages here define %s, %s and %s among them: it is not known which is meant", name, in(all[0]), in(all[1]))
	}
	return found, nil
}

// skipped are folders that the go command does not look into.
func skipped(name string) bool {
	return name == "vendor" || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// walk yields the locks below the folder of the module. It leaves modules of
// their own alone, unless they are parts of a workspace.
func (m *Module) walk(found func(path string)) error {
	return filepath.WalkDir(m.Dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir() && path != m.Dir && (skipped(entry.Name()) || m.patterns[0] != "work" && exists(filepath.Join(path, "go.mod"))):
			return fs.SkipDir
		case entry.Name() == code.LockFile && !entry.IsDir():
			found(path)
		}
		return nil
	})
}
