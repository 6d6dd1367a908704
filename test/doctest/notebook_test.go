package doctest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/imports"
)

// The cells of the page, in a kernel; then in others, as after a restart.
func TestNotebook(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: compiles the cells of a page")
	}
	fetchModules(t)
	page := slices.DeleteFunc(pages(t), func(p page) bool { return p.name != "docs/notebooks.md" })[0]
	home := t.TempDir()
	k := newKernel(t, home)
	var cells []string
	var said string
	for _, b := range page.blocks {
		text := strings.Join(b.lines, "\n")
		switch b.from {
		case "cell":
			cells = append(cells, text)
			said = k.run(t, text)
		case "again":
			said = k.run(t, cells[len(cells)-1])
			fallthrough
		case "output":
			if !matches(said, text) {
				t.Errorf("%s:%d: the cell printed\n%s\nthe page says\n%s", page.name, b.line, said, text)
			}
		}
	}
	if len(cells) != 5 {
		t.Fatalf("the page has %d cells", len(cells))
	}
	back := strings.ReplaceAll(cells[4], "factor = 20", "factor = 10")
	if said := k.run(t, back); said != "30 hit" {
		t.Errorf("edited back: %s", said)
	}

	subprocess := strings.NewReplacer("Scale.Do(ctx, 3)", "Scale.With(mops.On(subprocess.New())).Do(ctx, 4)", "info.Outcome)", "info.Outcome, info.Made().Executor)").Replace(cells[3])
	if said := k.run(t, "import \"github.com/TrilliantHealth/mops-go/executor/subprocess\"\n"+subprocess); said != "40 computed subprocess" {
		t.Errorf("in a subprocess: %s", said)
	}

	add := "var Add = mops.Define(\"notebook/add\", func(ctx context.Context, n int) (int, error) { return n + factor, nil })\n"
	if said := k.run(t, add+strings.ReplaceAll(cells[3], "Scale", "Add")); !matches(said, "…are not, so nobody notices their edits: run mops-lock…notebook/add@0…13 computed") {
		t.Errorf("a function without a lock: %s", said)
	}

	// After a restart the latest cells are locked. The first result is of other code.
	for i, want := range []string{"…other code computed the result: factor changed…60 computed", "60 hit"} {
		k := newKernel(t, home)
		for _, cell := range []string{cells[0], strings.ReplaceAll(cells[1], "factor = 10", "factor = 20"), cells[2]} {
			k.run(t, cell)
		}
		if said := k.run(t, cells[3]); !matches(said, want) {
			t.Errorf("restart %d: %s", i+1, said)
		}
	}

	// What the page warns of.
	k = newKernel(t, t.TempDir())
	k.run(t, strings.Join(strings.Split(cells[0], "\n")[:2], "\n"))
	k.run(t, cells[1])
	if first, second := k.run(t, cells[3]), k.run(t, cells[4]); first != "30 computed" || second != "30 hit" {
		t.Errorf("without a lock: %s, then %s", first, second)
	}
}

// kernel does what gonb does with cells.
type kernel struct {
	folder, program string
	environment     []string
	declared        map[string]string // text by kind and name
}

var kernels int

func newKernel(t *testing.T, home string) *kernel {
	t.Helper()
	kernels++
	name := fmt.Sprintf("gonb_%08x", kernels)
	k := &kernel{folder: filepath.Join(t.TempDir(), name), declared: map[string]string{}}
	k.program = filepath.Join(k.folder, name)
	k.environment = append(os.Environ(), "HOME="+home, "GOWORK=off", "GOFLAGS=", "GOPROXY=off", "GOSUMDB=off", "MOPS_PROGRESS=off", "MOPS_ROOT=", "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=")
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} { // which are below the home
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		k.environment = append(k.environment, name+"="+strings.TrimSpace(string(out)))
	}
	if err := os.Mkdir(k.folder, 0o777); err != nil {
		t.Fatal(err)
	}
	k.command(t, "go mod init "+name+" && go mod edit -replace "+module+"="+repository)
	return k
}

// command runs a line in the folder of the kernel.
func (k *kernel) command(t *testing.T, line string) string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", line)
	shell.Dir, shell.Env = k.folder, k.environment
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// run runs a cell: its commands, then its program. It returns what these print.
func (k *kernel) run(t *testing.T, cell string) string {
	t.Helper()
	var said bytes.Buffer
	source := "package main\n"
	for line := range strings.Lines(cell) {
		if command, ok := strings.CutPrefix(line, "!*"); ok {
			if out := k.command(t, command); !strings.HasPrefix(command, "go get") {
				said.WriteString(out)
			}
		} else if variable, ok := strings.CutPrefix(line, "%env "); ok {
			name, value, _ := strings.Cut(strings.TrimSpace(variable), " ")
			k.environment = append(k.environment, name+"="+value)
		} else if strings.TrimSpace(line) == "%%" {
			source += "func main() {\nflag.Parse()\n"
		} else {
			source += line
		}
	}
	if strings.Contains(source, "func main() {") {
		source += "\n}\n"
	}
	if strings.TrimSpace(source) == "package main" {
		return strings.TrimSpace(said.String())
	}
	k.declare(t, source)
	k.command(t, "go get && go build -o "+k.program)
	said.WriteString(k.command(t, k.program))
	return strings.TrimSpace(said.String())
}

// declare writes main.go, of the latest declaration of each name. Main is that of the
// cell, and does nothing where the cell has none.
func (k *kernel) declare(t *testing.T, source string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "cell", source, parser.ParseComments)
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	text := func(n ast.Node) string { return source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset] }
	k.declared["func main"] = "func main() { flag.Parse() }"
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			k.declared["func "+d.Name.Name] = text(d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				name := text(spec)
				if v, ok := spec.(*ast.ValueSpec); ok {
					name = v.Names[0].Name
				}
				k.declared[d.Tok.String()+" "+name] = d.Tok.String() + " " + text(spec)
			}
		}
	}
	main := "package main\n"
	for _, kind := range []string{"import ", "type ", "const ", "var ", "func "} {
		for _, key := range slices.Sorted(maps.Keys(k.declared)) {
			if strings.HasPrefix(key, kind) {
				main += "\n" + k.declared[key] + "\n"
			}
		}
	}
	formatted, err := imports.Process(filepath.Join(k.folder, "main.go"), []byte(main), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, main)
	}
	if err := os.WriteFile(filepath.Join(k.folder, "main.go"), formatted, 0o666); err != nil {
		t.Fatal(err)
	}
}
