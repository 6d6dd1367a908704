package purity

import (
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/fingerprint"
)

// Finding is a place that makes the result of a function depend on something
// else than its input.
type Finding struct {
	Function string   // its name in mops
	Path     []string // from the function to the declaration with the place, without the function
	Class    Class
	What     string // that is used there
	By       string // who changes a variable, and where
	File     string // in the function's module, or by its import path
	Line     int

	in         string // the package with the place
	at         Place
	definition *fingerprint.Definition
}

// Pos is where to show the finding to somebody who looks at one package: its
// place, if it is there, or else where the function is defined.
func (f *Finding) Pos(s *fingerprint.Checked) (pos token.Pos) {
	at := f.at
	if f.in != s.Path {
		at = Place{path.Base(f.definition.File), f.definition.Line}
	}
	r := &reader{source: s}
	for _, file := range s.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil && !pos.IsValid() && n != file && r.place(n.Pos()) == at {
				pos = n.Pos()
			}
			return !pos.IsValid()
		})
	}
	return pos
}

// problems say what is wrong, and what to do.
var problems = map[Class][2]string{
	Clock:       {"reads the clock", "pass the time in"},
	Chance:      {"draws by chance", "pass a seed in, and draw from a generator made from it"},
	Environment: {"depends on the process or its machine", "pass in what it holds"},
	Variable:    {"is a variable that %s changes", "pass its value in, or set it before main only"},
	Files:       {"reads files that are no part of the input", "pass in a mops.Source and read that"},
	Network:     {"reads from elsewhere", "read it outside and pass in what was read, or a version of it"},
	Command:     {"runs another program", "say why its output depends on the input only: " + directive + " REASON"},
	Impure:      {"is known to depend on more than its arguments", "call it outside and pass in what it returns"},
	Calls:       {"is called and not in Calls", "add mops.Calls to the definition, so that its version counts"},
	Comment:     {"gives no reason", "write one behind it"},
}

// Problem says what is wrong.
func (f *Finding) Problem() string {
	problem := problems[f.Class][0]
	if f.By != "" {
		return fmt.Sprintf(problem, f.By)
	}
	return problem
}

// Advice says what to do. All findings can be accepted, too, by a comment.
func (f *Finding) Advice() string { return problems[f.Class][1] }

// String is a finding on one line: forecast/train -> clean -> stamp: time.Now
// (clean.go:31) reads the clock: pass the time in.
func (f *Finding) String() string {
	way := strings.Join(append([]string{f.Function}, f.Path...), " -> ")
	return fmt.Sprintf("%s: %s (%s) %s: %s", way, f.What, place(f.File, f.Line), f.Problem(), f.Advice())
}

func place(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

// Checker checks functions of one program. It is not safe for concurrent use.
type Checker struct {
	program *fingerprint.Program
	world   *world
}

// NewChecker makes a checker, which reads each package once.
func NewChecker(p *fingerprint.Program) *Checker {
	return &Checker{p, newWorld()}
}

// Check finds what makes a function impure. It fails if the code of the function
// cannot be followed or does not compile.
func (c *Checker) Check(ctx context.Context, d *fingerprint.Definition) ([]*Finding, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	sources, err := c.program.Checked(ctx, d)
	if err != nil {
		return nil, err
	}
	own := func(path string) bool { return c.world.own[path] != nil }
	var home *fingerprint.Checked
	for _, s := range sources {
		if c.world.own[s.Path] == nil {
			c.world.own[s.Path] = func() (*Package, error) { return Read(s, own), nil }
		}
		if s.Path == d.Package {
			home = s
		}
	}
	if home == nil {
		return nil, fmt.Errorf("package %s, which defines %s, is none of this module", d.Package, d.Name)
	}
	return c.world.check(d, rootOf(home, d)), nil
}

// CheckPackage checks the functions that a package defines. What was read of it
// and of the packages that it imports are encoded summaries, by path. Functions
// that cannot be followed are left out.
func CheckPackage(s *fingerprint.Checked, summaries map[string][]byte) (all []*Finding, err error) {
	w := newWorld()
	for path, data := range summaries {
		w.own[path] = func() (*Package, error) { return decode(data) }
	}
	for _, d := range s.Definitions() {
		if d.Err == nil {
			all = append(all, w.check(d, rootOf(s, d))...)
		}
	}
	return all, w.err
}

var versioned = regexp.MustCompile(`@v[0-9]`)

// IsOwn says that a package is the user's own, by the path of its module and one
// of its files: those of others lie in the module cache, in a folder vendor, or
// with Go. A package of Go is in no module.
func IsOwn(module, pkg, file string) bool {
	file = filepath.ToSlash(file)
	return module != "" && module != "std" && module != "cmd" && !versioned.MatchString(file) && !strings.Contains(file, "/vendor/"+pkg+"/")
}
