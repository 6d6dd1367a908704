package fingerprint

import (
	"archive/zip"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// world is a module with mains, and modules with versions that it can get.
type world struct {
	folder string
	env    []string
}

// newWorld unpacks testdata/NAME.txtar. What lies under proxy/path@version/ is a
// module that the go command can download.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	own, offered := map[string][]byte{}, map[string]map[string][]byte{}
	for _, f := range archive.Files {
		rest, ok := strings.CutPrefix(f.Name, "proxy/")
		if !ok {
			own[f.Name] = f.Data
			continue
		}
		at := strings.Index(rest, "@")
		version, file, _ := strings.Cut(rest[at:], "/")
		if module := rest[:at] + version; offered[module] == nil {
			offered[module] = map[string][]byte{file: f.Data}
		} else {
			offered[module][file] = f.Data
		}
	}
	w := &world{folder: t.TempDir()}
	proxy := t.TempDir()
	for module, files := range offered {
		offer(t, proxy, module, files)
	}
	w.env = append(os.Environ(), "GOPROXY=file://"+filepath.ToSlash(proxy), "GOSUMDB=off", "GOMODCACHE="+t.TempDir(),
		"GOFLAGS=-mod=mod -modcacherw", "GOWORK=")
	writeFiles(t, w.folder, own)
	return w
}

// offer puts a module where the go command downloads from.
func offer(t *testing.T, proxy, module string, files map[string][]byte) {
	t.Helper()
	path, version, _ := strings.Cut(module, "@")
	writeFiles(t, filepath.Join(proxy, path, "@v"), map[string][]byte{
		version + ".info": []byte(`{"Version":"` + version + `"}`),
		version + ".mod":  files["go.mod"],
	})
	out, err := os.Create(filepath.Join(proxy, path, "@v", version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	z := zip.NewWriter(out)
	for name, content := range files {
		file, err := z.Create(module + "/" + name)
		if err == nil {
			_, err = file.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *world) fingerprint(t *testing.T, patterns ...string) *code.Fingerprint {
	t.Helper()
	return fingerprintWith(t, Config{Dir: w.folder, Env: w.env}, patterns...)
}

func (w *world) goCommand(t *testing.T, arguments ...string) {
	t.Helper()
	command := exec.Command("go", arguments...)
	command.Dir, command.Env = w.folder, w.env
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", arguments, err, out)
	}
}

// replace edits a file.
func (w *world) replace(t *testing.T, file, old, now string) {
	t.Helper()
	path := filepath.Join(w.folder, file)
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), old) != 1 {
		t.Fatalf("%s: %q is not there once: %v", file, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, now, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(t *testing.T, file, text string) {
	t.Helper()
	writeFiles(t, w.folder, map[string][]byte{file: []byte(text)})
}

// What else is loaded does not matter, nor how often.
func TestSameFromEverywhere(t *testing.T) {
	w := newWorld(t, "modules")
	want := w.fingerprint(t, "./...")
	times := 20
	if testing.Short() {
		times = 3
	}
	for range times {
		if got := w.fingerprint(t, "./..."); got.Hash != want.Hash {
			t.Fatalf("another time: %v", code.Diff(want, got))
		}
	}
	for _, patterns := range [][]string{{"."}, {"./cmd/a"}, {"./cmd/b"}, {"./cmd/a", "./cmd/b"}, {home}, {"all"}} {
		got := w.fingerprint(t, patterns...)
		if got.Hash != want.Hash {
			t.Errorf("%v: %v", patterns, code.Diff(want, got))
		}
		if len(got.Decls) != len(want.Decls) {
			t.Errorf("%v: %d declarations, not %d", patterns, len(got.Decls), len(want.Decls))
		}
	}
}

// Within one program, too, the order in which functions are asked for does not matter.
func TestSameWhateverWasAskedBefore(t *testing.T) {
	w := newWorld(t, "modules")
	p, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"root", "back", "native", "root"}
	first := map[string]string{}
	for _, name := range names {
		first[name] = function(t, p, name).Hash
	}
	for name := range maps.Keys(first) {
		q, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, ".")
		if err != nil {
			t.Fatal(err)
		}
		if got := function(t, q, name).Hash; got != first[name] {
			t.Errorf("%s alone: %s, not %s", name, got, first[name])
		}
	}
}

// A module with a version counts by the content of what is used of it.
func TestVersions(t *testing.T) {
	w := newWorld(t, "modules")
	before := w.fingerprint(t, ".")
	w.replace(t, "go.mod", "dep v1.0.0", "dep v1.1.0")
	if after := w.fingerprint(t, "."); after.Hash != before.Hash {
		t.Errorf("a version that changes nothing that is used: %v", code.Diff(before, after))
	}
	w.replace(t, "go.mod", "dep v1.1.0", "dep v1.2.0")
	after := w.fingerprint(t, ".")
	want := "example.org/dep changed (example.org/dep@v1.2.0, before example.org/dep@v1.0.0)\n"
	if got := lines(code.Diff(before, after)); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestVendor(t *testing.T) {
	w := newWorld(t, "modules")
	before := w.fingerprint(t, "./...")
	w.goCommand(t, "mod", "vendor")
	w.env = append(w.env, "GOFLAGS=")
	after := w.fingerprint(t, "./...")
	if after.Hash != before.Hash {
		t.Errorf("vendored: %v", code.Diff(before, after))
	}
	w.replace(t, "vendor/example.org/dep/dep.go", "n + 1", "n + 2")
	if edited := w.fingerprint(t, "./..."); edited.Hash == before.Hash {
		t.Error("somebody edits what is vendored, and nothing has changed")
	}
}

// A module that a folder replaces counts by declaration, vendored or not.
func TestReplaced(t *testing.T) {
	w := newWorld(t, "modules")
	w.write(t, "dep/go.mod", "module example.org/dep\n\ngo 1.26.0\n")
	w.write(t, "dep/dep.go", "package dep\n\nfunc F(n int) int { return n + 1 }\n\nfunc G() int { return 1 }\n")
	w.goCommand(t, "mod", "edit", "-replace=example.org/dep=./dep")
	before := w.fingerprint(t, "./...")
	w.replace(t, "dep/dep.go", "return 1 }", "return 2 }")
	if after := w.fingerprint(t, "./..."); after.Hash != before.Hash {
		t.Errorf("another function: %v", code.Diff(before, after))
	}
	w.goCommand(t, "mod", "vendor")
	w.env = append(w.env, "GOFLAGS=")
	if after := w.fingerprint(t, "./..."); after.Hash != before.Hash {
		t.Errorf("vendored: %v", code.Diff(before, after))
	}
	w.replace(t, "vendor/example.org/dep/dep.go", "n + 1", "n + 2")
	want := "dep.F changed (example.org/dep/dep.go:3)\n"
	if got := lines(code.Diff(before, w.fingerprint(t, "./..."))); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestWorkspace(t *testing.T) {
	w := newWorld(t, "modules")
	w.write(t, "dep/go.mod", "module example.org/dep\n\ngo 1.26.0\n")
	w.write(t, "dep/dep.go", "package dep\n\nfunc F(n int) int { return n + 1 }\n\nfunc G() int { return 1 }\n")
	w.goCommand(t, "mod", "tidy")
	w.write(t, "go.work", "go 1.26.0\n\nuse (\n\t.\n\t./dep\n)\n")
	w.env = append(w.env, "GOFLAGS=-modcacherw")
	before := w.fingerprint(t, "./...")
	w.replace(t, "dep/dep.go", "return 1 }", "return 2 }")
	if after := w.fingerprint(t, "./..."); after.Hash != before.Hash {
		t.Errorf("another function: %v", code.Diff(before, after))
	}
	w.replace(t, "dep/dep.go", "n + 1", "n + 2")
	want := "dep.F changed (example.org/dep/dep.go:3)\n"
	if got := lines(code.Diff(before, w.fingerprint(t, "./..."))); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// A module with a version may use one without: that counts in between, too.
func TestDependencyThatComesBack(t *testing.T) {
	w := newWorld(t, "modules")
	get := func() *code.Fingerprint {
		p, err := Load(t.Context(), Config{Dir: w.folder, Env: w.env}, ".")
		if err != nil {
			t.Fatal(err)
		}
		return function(t, p, "back")
	}
	before := get()
	w.replace(t, "lib/lib.go", "return 1 ", "return 2 ")
	if got, want := lines(code.Diff(before, get())), "lib.Get changed (lib/lib.go:5)\n"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

// The platform chooses files, and is no part of the code.
func TestPlatforms(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles parts of the standard library for other platforms")
	}
	w := newWorld(t, "modules")
	want := w.fingerprint(t, ".")
	for _, platform := range []string{"linux/amd64", "darwin/arm64", "windows/amd64"} {
		got := fingerprintWith(t, Config{Dir: w.folder, Env: w.env, Platform: platform}, ".")
		if got.Hash != want.Hash {
			t.Errorf("%s: %v", platform, code.Diff(want, got))
		}
	}
}

// What the machine says of itself does not matter.
func TestSameInEveryEnvironment(t *testing.T) {
	w := newWorld(t, "modules")
	want := w.fingerprint(t, ".")
	env := w.env
	for _, setting := range []string{"GOOS=plan9", "GOARCH=arm", "CGO_ENABLED=0", "CGO_ENABLED=1", "GOAMD64=v3", "CC=/nowhere"} {
		w.env = append(env[:len(env):len(env)], setting)
		if got := w.fingerprint(t, "."); got.Hash != want.Hash {
			t.Errorf("%s: %v", setting, code.Diff(want, got))
		}
	}
}
