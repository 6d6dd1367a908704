package mops_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs/calling.md says what to do about a function of another shape, in the words
// of the compiler.
func TestTheCompilersWordsAreOnThePage(t *testing.T) {
	output, err := exec.Command("go", "build", "-gcflags=-e", "-o", os.DevNull, "./testdata/arguments").CombinedOutput()
	if err == nil {
		t.Fatal("all of it compiled")
	}
	const words = "does not match func(context.Context, In) (Out, error) (cannot infer In and Out)"
	if n := strings.Count(string(output), words); n != 3 {
		t.Errorf("%d functions are refused in these words:\n%s", n, output)
	}
	page := strings.Join(strings.Fields(string(must(os.ReadFile("docs/calling.md")))), " ")
	if !strings.Contains(page, words) {
		t.Errorf("docs/calling.md does not have the words of the compiler: %s", words)
	}
}

// An option that means nothing in its place does not compile: the lines of
// testdata/options that say ERROR, and no others.
func TestMeaninglessOptionsDoNotCompile(t *testing.T) {
	folder := filepath.Join("testdata", "options")
	build := exec.Command("go", "build", "-gcflags=-e", "-o", os.DevNull, "./"+filepath.ToSlash(folder))
	output, err := build.CombinedOutput()
	if err == nil {
		t.Fatal("all of it compiled")
	}
	var refused []int
	for _, m := range regexp.MustCompile(`options\.go:(\d+):\d+: cannot use mops\.`).FindAllStringSubmatch(string(output), -1) {
		refused = append(refused, must(strconv.Atoi(m[1])))
	}
	source := must(os.ReadFile(filepath.Join(folder, "options.go")))
	var want []int
	for i, line := range strings.Split(string(source), "\n") {
		if strings.HasSuffix(line, "// ERROR") {
			want = append(want, i+1)
		}
	}
	if refused = slices.Compact(refused); !slices.Equal(refused, want) {
		t.Errorf("the compiler refuses lines %v, and should refuse %v:\n%s", refused, want, output)
	}
}
