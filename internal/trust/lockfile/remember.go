package lockfile

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
	"github.com/TrilliantHealth/mops-go/internal/trust/snapshot"
)

// memory is what this machine remembers of an earlier look, and keeps of this one.
type memory struct {
	result  *Result
	program *fingerprint.Program
	reader  *snapshot.Reader
	states  map[*Package]snapshot.State // before the code was read
}

func newMemory(r *Result, program *fingerprint.Program, since time.Time) *memory {
	return &memory{result: r, program: program, reader: snapshot.NewReader(since), states: map[*Package]snapshot.State{}}
}

// recall has the result from snapshots, if nothing was edited since and there is
// nothing to say but what was said. Otherwise the code must be read, which the
// memory prepares.
func (m *memory) recall() bool {
	r := m.result
	if r.config.CacheDir != "" && m.fromSnapshots() {
		r.compare()
		if len(r.Problems()) == 0 {
			return true
		}
	}
	for _, p := range r.Packages {
		// Also if it is not kept: go test runs again what this process has read.
		state, err := m.reader.Read(m.inputs(p))
		if err == nil {
			m.states[p] = state
		}
	}
	return false
}

func (m *memory) fromSnapshots() bool {
	c := m.result.config
	for _, p := range m.result.Packages {
		s, err := snapshot.Load(c.CacheDir, p.Dir)
		if err != nil || s.Writer != writer() || s.Platform != c.Platform || s.Tags != strings.Join(c.Tags, ",") || !s.Fresh(m.program.Go()) {
			return false
		}
		p.Functions = nil
		for _, each := range s.Functions {
			f := &Function{Name: each.Name, Version: each.Version, Package: p.Path, File: each.File, Line: each.Line, Missing: each.Missing, Impure: each.Impure}
			if each.Err != "" {
				f.Err = errors.New(each.Err)
			} else {
				f.Code = cmp.Or(each.Code, &code.Fingerprint{Hash: each.Hash})
			}
			p.Functions = append(p.Functions, f)
		}
	}
	return true
}

// keep writes snapshots of what was found out. That it cannot is no reason to
// fail: the next look takes longer.
func (m *memory) keep() {
	c := m.result.config
	m.result.memory = m
	if c.CacheDir == "" {
		return
	}
	for _, p := range m.result.Packages {
		state, ok := m.states[p]
		if !ok {
			continue
		}
		s := &snapshot.Snapshot{Go: m.program.Go(), Platform: c.Platform, Tags: strings.Join(c.Tags, ","), Writer: writer(), State: state}
		for _, f := range p.Functions {
			each := snapshot.Function{Name: f.Name, Version: f.Version, File: f.File, Line: f.Line, Missing: f.Missing, Impure: f.Impure, Accepted: f.Accepted()}
			if f.Code != nil {
				each.Hash = f.Code.Hash
				if !each.Accepted {
					each.Code = f.Code
				}
			} else if f.elsewhere() {
				continue
			} else {
				each.Err = f.Err.Error()
			}
			s.Functions = append(s.Functions, each)
		}
		if s.Fresh(m.program.Go()) { // else somebody edited something in between
			_ = s.Save(c.CacheDir, p.Dir)
		}
	}
}

// wrote keeps that the locks of packages are new.
func (m *memory) wrote() {
	for p, state := range m.states {
		if err := state.Relock(); err == nil {
			m.states[p] = state
		}
	}
	m.keep()
}

// inputs are what the fingerprints of a package's functions are made of.
func (m *memory) inputs(p *Package) snapshot.Inputs {
	in := snapshot.Inputs{Lock: p.lock.path}
	modules := map[string]bool{} // their go.mod
	workspace := m.program.Workspace()
	for _, source := range m.program.Sources(p.Path) {
		in.Folders = append(in.Folders, source.Dir)
		for _, pattern := range source.Embeds {
			in.Embeds = append(in.Embeds, snapshot.Embed{Dir: source.Dir, Pattern: pattern})
		}
		// A go.mod in between would make it another module's.
		for dir := source.Dir; source.ModuleDir != "" && dir != source.ModuleDir && strings.HasPrefix(dir, source.ModuleDir); dir = filepath.Dir(dir) {
			in.Files = append(in.Files, filepath.Join(dir, "go.mod"))
		}
		if source.GoMod != "" {
			modules[source.GoMod] = true
		}
	}
	for dir := p.Dir; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		in.Files = append(in.Files, filepath.Join(dir, "go.work"))
	}
	if workspace != "" {
		modules[workspace] = true
	}
	for file := range modules {
		in.Files = append(in.Files, file, strings.TrimSuffix(file, ".mod")+".sum", filepath.Join(filepath.Dir(file), "vendor", "modules.txt"))
		in.Files = append(in.Files, neighbours(file)...)
	}
	return in
}

// neighbours are the go.mod files in folders that a go.mod or go.work file names:
// what they require decides versions.
func neighbours(file string) (paths []string) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for _, word := range strings.Fields(string(content)) {
		if word = strings.Trim(word, "\"`"); strings.HasPrefix(word, ".") || filepath.IsAbs(word) {
			folder := filepath.FromSlash(word)
			if !filepath.IsAbs(folder) {
				folder = filepath.Join(filepath.Dir(file), folder)
			}
			paths = append(paths, filepath.Join(folder, "go.mod"))
		}
	}
	return paths
}

// writer is the release of mops that runs: it decides what a fingerprint is. A
// build of no release is known by its file.
func writer() string {
	const mops = "github.com/TrilliantHealth/mops-go"
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(build.Deps, &build.Main) {
			if m.Path == mops && m.Replace == nil && m.Sum != "" {
				return m.Version
			}
		}
	}
	path, err := os.Executable()
	if err != nil {
		return time.Now().String()
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Now().String()
	}
	return info.ModTime().UTC().String()
}
