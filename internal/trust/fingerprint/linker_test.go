package fingerprint

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The linker has another way to find out what a program can reach, methods that
// only interfaces and reflection find among them. Whatever it keeps must count.
func TestWhatTheLinkerKeepsCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	for _, name := range []string{"becomes", "types", "syntax", "form"} {
		t.Run(name, func(t *testing.T) {
			e := readEdit(t, filepath.Join("testdata", "rules", name+".txtar"))
			functions := strings.Join(slices.Sorted(maps.Keys(e.functions)), ", ")
			writeFiles(t, e.before, map[string][]byte{
				"all.go":       []byte("package edits\n\nfunc All() []any { return []any{" + functions + "} }\n"),
				"main/main.go": []byte("package main\n\nimport (\n\t\"fmt\"\n\n\t\"" + home + "\"\n)\n\nfunc main() { fmt.Println(edits.All()) }\n"),
			})
			counted := map[string]bool{}
			for _, d := range function(t, loaded(t, e.before), "All").Decls {
				counted[d.Name] = true
			}
			kept := 0
			for symbol := range linked(t, e.before) {
				if kept++; !counted[symbol] {
					t.Errorf("%s is linked, and does not count", symbol)
				}
			}
			if kept < len(e.functions) {
				t.Errorf("only %d functions are linked", kept)
			}
		})
	}
}

// linked are the functions of the module that its main keeps, by the names that
// declarations have.
func linked(t *testing.T, folder string) map[string]bool {
	t.Helper()
	run := func(arguments ...string) string {
		command := exec.Command("go", arguments...)
		command.Dir = folder
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", arguments, err, out)
		}
		return string(out)
	}
	run("build", "-gcflags=-l", "-o", "program", "./main")
	symbols := map[string]bool{}
	for line := range strings.Lines(run("tool", "nm", "program")) {
		var address, kind, symbol string
		if fmt.Sscan(line, &address, &kind, &symbol); kind != "T" && kind != "t" || !strings.HasPrefix(symbol, home) {
			continue
		}
		for _, decoration := range decorations {
			symbol = decoration.ReplaceAllString(symbol, "$1")
		}
		if !strings.HasSuffix(symbol, ".init") {
			symbols[symbol] = true
		}
	}
	return symbols
}

// decorations are what the compiler adds to names: instances, pointers, literals,
// wrappers.
var decorations = []*regexp.Regexp{
	regexp.MustCompile(`\[.*\]()`),
	regexp.MustCompile(`\(\*(\w+)\)`),
	regexp.MustCompile(`(?:\.func\d|\.gowrap\d|\.deferwrap\d|-fm|-range\d).*()`),
}
