package fingerprint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// DefaultPlatform is the one that functions are looked at for, if [Config] names
// no other.
const DefaultPlatform = "linux/amd64"

// DefaultMaxSource bounds the source that is checked, if [Config] sets no other
// bound. Checking takes about 25 times as much memory.
const DefaultMaxSource = 64 << 20

// Config says what [Load] loads, and how.
type Config struct {
	Dir       string   // where the go command runs; default: the current folder
	Platform  string   // such as linux/amd64; default: DefaultPlatform
	Tags      []string // build tags; default: those of GOFLAGS
	Env       []string // the environment of the go command; default: os.Environ()
	MaxSource int64    // how many bytes of source are checked at most; default: DefaultMaxSource
}

// Program is the code that patterns name, with all that it imports. It is safe
// for concurrent use: calls wait for each other.
type Program struct {
	mutex    sync.Mutex
	config   Config
	goMinor  string // such as go1.26
	files    *token.FileSet
	packages map[string]*pkg
	matched  []*pkg // in the order of their paths
	checker  *checker
	decls    map[types.Object]*decl
	leftOut  map[*ast.File]bool       // by some builds; see varies
	calls    map[string][]code.Callee // what definitions name in Calls, by key

	workspace string // the file go.work, or ""
	modCache  string // where modules with versions lie
}

// pkg is a package, as the go command lists it.
type pkg struct {
	ImportPath, Name, Dir string
	Standard, DepOnly     bool
	Module                *module
	Imports               []string
	ImportMap             map[string]string
	Error                 *struct{ Pos, Err string }

	GoFiles, CgoFiles, IgnoredGoFiles                                 []string
	CFiles, CXXFiles, MFiles, FFiles, HFiles, SwigFiles, SwigCXXFiles []string
	SFiles, SysoFiles, EmbedFiles, EmbedPatterns                      []string

	linked   bool
	imports  []*pkg
	follow   bool    // its declarations count one by one
	source   bool    // its types come from its source, not from what the compiler exports
	contents *hashed // see content

	*checked // once it was needed
}

type module struct {
	Path, Version, Dir, GoMod, GoVersion string
	Main                                 bool
	Replace                              *module
}

// local says that a module has no version: what lies in its folder counts. Of mops it
// does not, even where somebody works on both.
func (m *module) local() bool {
	return m == nil || m.Main || m.Replace != nil && m.Replace.Version == "" && m.Path != mopsPath
}

// String is what a module is, with the one that replaces it in its place.
func (m *module) String() string {
	switch {
	case m.Replace != nil && m.Replace.Version != "":
		return m.Replace.Path + "@" + m.Replace.Version
	case m.Version != "":
		return m.Path + "@" + m.Version
	}
	return m.Path
}

// fields are what the go command is asked for: it takes longer to find and to
// write them all.
const fields = "ImportPath,Name,Dir,Standard,DepOnly,Module,Imports,ImportMap,Error," +
	"GoFiles,CgoFiles,IgnoredGoFiles,CFiles,CXXFiles,MFiles,FFiles,HFiles,SwigFiles,SwigCXXFiles,SFiles,SysoFiles,EmbedFiles,EmbedPatterns"

// Load asks the go command for the packages that patterns name, such as ./...,
// and for what they import. It reads no source yet, so a package that does not
// compile is an error only of the functions that need it.
func Load(ctx context.Context, config Config, patterns ...string) (*Program, error) {
	if config.Platform == "" {
		config.Platform = DefaultPlatform
	}
	if config.MaxSource == 0 {
		config.MaxSource = DefaultMaxSource
	}
	if config.Env == nil {
		config.Env = os.Environ()
	}
	p := &Program{config: config, files: token.NewFileSet(), decls: map[types.Object]*decl{}, leftOut: map[*ast.File]bool{}}

	if err := p.surroundings(ctx); err != nil {
		return nil, err
	}
	if err := p.list(ctx, patterns); err != nil {
		return nil, err
	}
	if broken := p.brokenLocks(); len(broken) > 0 {
		if err := p.listWithout(ctx, broken, patterns); err != nil {
			return nil, err
		}
	}
	p.leaveOutLocks()
	if len(p.matched) == 0 {
		return nil, fmt.Errorf("no Go package matches %s", strings.Join(patterns, " "))
	}
	for _, each := range p.packages {
		p.link(each)
	}
	return p, nil
}

// list asks for the packages. With cgo, whatever the machine: a C compiler is not
// needed for a list.
func (p *Program) list(ctx context.Context, patterns []string, flags ...string) error {
	arguments := append([]string{"list", "-e", "-deps", "-json=" + fields}, flags...)
	out, err := p.command(ctx, "1", append(append(arguments, "--"), patterns...)...)
	if err != nil {
		return err
	}
	p.packages, p.matched = map[string]*pkg{}, nil
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		listed := &pkg{}
		if err := decoder.Decode(listed); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		p.packages[listed.ImportPath] = listed
		if listed.DepOnly {
			continue
		}
		if listed.Dir == "" && listed.Error != nil { // a pattern that is no package
			return fmt.Errorf("no Go package matches %s: %s", listed.ImportPath, listed.Error.Err)
		}
		p.matched = append(p.matched, listed)
	}
}

// surroundings asks for the version of Go, and whether there is a module.
func (p *Program) surroundings(ctx context.Context) error {
	if system, architecture, _ := strings.Cut(p.config.Platform, "/"); system == "" || types.SizesFor("gc", architecture) == nil {
		return fmt.Errorf("platform %q is none of Go's, such as linux/amd64", p.config.Platform)
	}
	out, err := p.command(ctx, "1", "env", "-json", "GOVERSION", "GOMOD", "GOWORK", "GOMODCACHE")
	if err != nil {
		return err
	}
	var env struct{ GOVERSION, GOMOD, GOWORK, GOMODCACHE string }
	if err := json.Unmarshal(out, &env); err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	if env.GOWORK == "off" {
		env.GOWORK = ""
	}
	if (env.GOMOD == "" || env.GOMOD == os.DevNull) && env.GOWORK == "" {
		return errors.New("code of functions can be read only in a module: there is no go.mod here or above")
	}
	p.goMinor, p.workspace, p.modCache = code.GoMinor(env.GOVERSION), env.GOWORK, env.GOMODCACHE
	p.checker = newChecker(p)
	return nil
}

// link finds the packages that from imports, and decides how it is looked at.
func (p *Program) link(from *pkg) {
	if from.linked {
		return
	}
	from.linked = true
	from.follow = !from.Standard && from.Module.local()
	from.source = from.follow || !from.Standard && len(from.CgoFiles) > 0
	for _, path := range from.Imports {
		to := p.packages[from.resolve(path)]
		if to == nil {
			continue // "C", or missing, which checking reports
		}
		p.link(to)
		from.imports = append(from.imports, to)
		// What lies above a package without a version has no version of its own.
		from.follow = from.follow || to.follow
		// What the compiler exports names types of other packages; they are the
		// same types only if those come from there, too.
		from.source = from.source || to.source
	}
}

// resolve is the package that an import path means in p: another one where a
// folder vendor comes in between.
func (p *pkg) resolve(path string) string {
	if mapped, ok := p.ImportMap[path]; ok {
		return mapped
	}
	return path
}

// closure is p and what it imports, directly or not, those that p imports first.
func (p *pkg) closure() []*pkg {
	var all []*pkg
	seen := map[*pkg]bool{}
	var add func(*pkg)
	add = func(each *pkg) {
		if seen[each] {
			return
		}
		seen[each] = true
		for _, to := range each.imports {
			add(to)
		}
		all = append(all, each)
	}
	add(p)
	return all
}

// asBefore leaves it to the machine whether C is compiled.
const asBefore = ""

// command runs the go command for the platform. Settings of the machine that
// choose files are pinned, or two machines would see two programs.
func (p *Program) command(ctx context.Context, cgo string, arguments ...string) ([]byte, error) {
	system, architecture, _ := strings.Cut(p.config.Platform, "/")
	if len(p.config.Tags) > 0 && arguments[0] == "list" {
		arguments = append([]string{"list", "-tags=" + strings.Join(p.config.Tags, ",")}, arguments[1:]...)
	}
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = p.config.Dir
	// For what it started, once it was killed; and for this process to read what it
	// said, of which the last comes late where the machine is busy.
	command.WaitDelay = 10 * time.Second
	command.Env = append(slices.Clone(p.config.Env), "GOOS="+system, "GOARCH="+architecture, "GOAMD64=", "GOARM64=", "GOARM=", "GO386=")
	if cgo != asBefore {
		command.Env = append(command.Env, "CGO_ENABLED="+cgo)
	}
	out, err := command.Output()
	var failed *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("go %s: %w", arguments[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("the code of functions can be read only where the go command is: %w", err)
	case errors.As(err, &failed):
		return nil, fmt.Errorf("go %s: %s", arguments[0], strings.TrimSpace(string(failed.Stderr)))
	}
	return out, err
}
