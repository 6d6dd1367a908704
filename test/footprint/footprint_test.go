package footprint

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
)

const module = "github.com/TrilliantHealth/mops-go"

// most are the modules that a program may fetch which imports one package of mops
// and nothing else: for go mod tidy, which wants the tests of all packages that are
// imported, too, and for go build.
var most = []struct {
	imports     string // below the module
	tidy, build int
}{
	{"", 6, 6},
	{"blob/s3blob", 20, 19},
	{"blob/azureblob", 33, 23},
	{"blob/gcsblob", 25, 5},
	{"image", 15, 9},
	{"k8s", 57, 42},
	{"otelmops", 35, 15},
	{"otelmops/otlp", 40, 32},
	{"mopspure", 2, 1},
	{"mopspure/golangci", 3, 2},
}

func TestModulesOfAProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("left out: fetches modules into empty caches")
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "imports\tgo mod tidy\tMB\tgo build\tMB\t")
	for _, p := range most {
		program := newProgram(t, p.imports)
		tidy := program.fetches(t, "mod", "tidy")
		build := program.fetches(t, "list", "-deps") // the modules of a build, without the minutes
		for linked, by := range map[string]string{"go.opentelemetry.io/": "otelmops", "go.opentelemetry.io/otel/sdk": "otelmops/otlp"} {
			if links, may := strings.Contains(build.said, "\n"+linked), strings.HasPrefix(p.imports, by); links != may {
				t.Errorf("a program that imports %s links %s: %v", cmp.Or(p.imports, "mops"), linked, links)
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%d\t%.1f\t\n", cmp.Or(p.imports, "mops"), tidy.modules, tidy.megabytes(), build.modules, build.megabytes())
		if tidy.modules > p.tidy || build.modules > p.build {
			t.Errorf("a program that imports %s fetches %d modules with go mod tidy and %d with go build, more than %d and %d; is something heavy imported by a test that belongs into module test?",
				cmp.Or(p.imports, "mops"), tidy.modules, build.modules, p.tidy, p.build)
		}
	}
	w.Flush()
	t.Logf("modules that a program fetches, and their zip files:\n%s", &table)
}

// program is a module that imports one package of mops.
type program struct{ dir string }

func newProgram(t *testing.T, imports string) program {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	also := ""
	if of := "otelmops"; imports == of || strings.HasPrefix(imports, of+"/") { // a module of its own
		also = fmt.Sprintf("\nrequire %[1]s/%[3]s v0.0.0\n\nreplace %[1]s/%[3]s => %[2]s/%[3]s\n", module, repository, of)
	}
	p := program{t.TempDir()}
	for name, text := range map[string]string{
		"go.mod":  fmt.Sprintf("module example.com/program\n\ngo 1.26.0\n\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]s\n", module, repository) + also,
		"main.go": fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", strings.TrimSuffix(module+"/"+imports, "/")),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

type fetched struct {
	said    string // by the go command
	modules int
	bytes   int64
}

func (f fetched) megabytes() float64 { return float64(f.bytes) / 1e6 }

// fetches runs the go command in the program with an empty module cache, and counts
// what is there afterwards. What this machine has had before comes from there.
func (p program) fetches(t *testing.T, args ...string) (all fetched) {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	download := filepath.Join("cache", "download")
	machine, empty := filepath.Join(strings.TrimSpace(string(out)), download), t.TempDir()
	command := exec.Command("go", args...)
	command.Dir = p.dir
	command.Env = append(os.Environ(), "GOMODCACHE="+empty, "GOFLAGS=-modcacherw", "GOWORK=off", "GOTOOLCHAIN=local",
		"GOSUMDB=off", "GOPROXY=file://"+filepath.ToSlash(machine)+",https://proxy.golang.org")
	said, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	all.said = string(said)
	err = filepath.WalkDir(filepath.Join(empty, download), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".zip") {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all.modules++
			all.bytes += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
