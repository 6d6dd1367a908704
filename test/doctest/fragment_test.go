package doctest

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var exampleFunction = regexp.MustCompile(`(?m)^func (Example\w*)\(`)

// examples are the texts of the files in which the examples are, by name.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(repository, "example_*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range exampleFunction.FindAllStringSubmatch(string(text), -1) {
			found[m[1]] = string(text)
		}
	}
	return found
}

func TestFragments(t *testing.T) {
	known := examples(t)
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if _, isFile := b.file(); b.language != "go" || isFile {
				continue
			}
			text, ok := known[b.from]
			if !ok {
				read, err := os.ReadFile(filepath.Join(repository, filepath.FromSlash(b.from)))
				if err != nil {
					t.Errorf("%s:%d: %q is neither an example of the root package nor a file: %v", p.name, b.line, b.from, err)
					continue
				}
				text = string(read)
			}
			if missing := firstMissing(text, b.lines); missing != "" {
				t.Errorf("%s:%d: %s does not have this, in this order:\n%s", p.name, b.line, b.from, missing)
			}
		}
	}
}

// Each option and function has its example, and each example its page.
func TestExamplesAreOnPages(t *testing.T) {
	shown := map[string]bool{}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			shown[b.from] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(examples(t))) {
		if !shown[name] {
			t.Errorf("%s is on no page", name)
		}
	}
}

// firstMissing returns the first part of a fragment that is not in a text
// behind the parts before it, "" when all are.
func firstMissing(text string, fragment []string) string {
	source := strings.Split(text, "\n")
	for _, part := range parts(fragment) {
		at := slices.IndexFunc(indexes(source), func(i int) bool { return startsWith(source[i:], part) })
		if at < 0 {
			return strings.Join(part, "\n")
		}
		source = source[at+len(part):]
	}
	return ""
}

func indexes(lines []string) []int {
	all := make([]int, len(lines))
	for i := range all {
		all[i] = i
	}
	return all
}

// parts are what stands between lines that leave something out.
func parts(fragment []string) (all [][]string) {
	var part []string
	for _, line := range append(fragment, "…") {
		if strings.TrimSpace(line) != "…" {
			part = append(part, line)
			continue
		}
		if part = trim(part); len(part) > 0 {
			all = append(all, part)
		}
		part = nil
	}
	return all
}

func trim(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// startsWith compares lines, however far the part is indented as a whole.
func startsWith(source, part []string) bool {
	if len(source) < len(part) {
		return false
	}
	indent := func(line string) string { return line[:len(line)-len(strings.TrimLeft(line, "\t "))] }
	theirs, ours := indent(source[0]), indent(part[0])
	for i, line := range part {
		if strings.TrimPrefix(source[i], theirs) != strings.TrimPrefix(line, ours) {
			return false
		}
	}
	return true
}

func TestFirstMissing(t *testing.T) {
	text := "func f() {\n\tone()\n\tif two() {\n\t\tthree()\n\t}\n}"
	for fragment, missing := range map[string]string{
		"one()\nif two() {\n\tthree()\n}": "",
		"one()\n…\nthree()":               "",
		"one()\nthree()":                  "one()\nthree()",
		"three()\n…\none()":               "one()",
		"four()":                          "four()",
		"func f() {\n\tone()":             "",
	} {
		if got := firstMissing(text, strings.Split(fragment, "\n")); got != missing {
			t.Errorf("%q: missing %q, want %q", fragment, got, missing)
		}
	}
}
