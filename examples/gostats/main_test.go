package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// The test binary is its own worker.
func TestMain(m *testing.M) {
	mops.Init()
	os.Exit(m.Run())
}

const (
	goMod = "module example.com/tree\n"
	rootA = "package tree\n\nimport \"example.com/tree/sub\"\n\n// A is documented.\nfunc A() int { return sub.B() }\n"
	subB  = "package sub\n\n// B is documented.\nfunc B() int {\n\tif true && true {\n\t\treturn 1\n\t}\n\treturn 2\n}\n"
	subC  = "package sub\n\ntype C struct{}\n"
)

func TestSecondRunIsAllHits(t *testing.T) {
	ctx, dir := start(t, map[string]string{"go.mod": goMod, "a.go": rootA, "sub/b.go": subB, "sub/c.go": subC})
	first := report(t, ctx, dir)
	wantCalls(t, first, "3 calls: 3 computed")
	for _, want := range []string{"2 packages", "example.com/tree/sub ", "example.com/tree/sub.B ", "b.go:4"} {
		if !strings.Contains(first, want) {
			t.Errorf("the report does not have %q:\n%s", want, first)
		}
	}
	second := report(t, ctx, dir)
	wantCalls(t, second, "3 calls: 3 hits")
	if withoutCalls(second) != withoutCalls(first) {
		t.Errorf("the second report differs:\n%s\nthe first was:\n%s", second, first)
	}
}

func TestChangedFileCostsItsPackageAndTheSum(t *testing.T) {
	ctx, dir := start(t, map[string]string{"go.mod": goMod, "a.go": rootA, "sub/b.go": subB, "other/d.go": "package other\n"})
	wantCalls(t, report(t, ctx, dir), "4 calls: 4 computed")
	write(t, dir, "sub/b.go", subB+"\nfunc Added() {}\n")
	wantCalls(t, report(t, ctx, dir), "4 calls: 2 hits, 2 computed")

	// The tree as it was is known: nothing is computed.
	write(t, dir, "sub/b.go", subB)
	wantCalls(t, report(t, ctx, dir), "4 calls: 4 hits")
}

func TestFileWithAnotherTimeIsTheSame(t *testing.T) {
	ctx, dir := start(t, map[string]string{"a.go": "package a\n"})
	wantCalls(t, report(t, ctx, dir), "2 calls: 2 computed")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "a.go"), later, later); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, report(t, ctx, dir), "2 calls: 2 hits")
}

func TestRenamedFileIsAnother(t *testing.T) {
	ctx, dir := start(t, map[string]string{"a.go": "package a\n\nfunc F() {}\n"})
	wantCalls(t, report(t, ctx, dir), "2 calls: 2 computed")
	if err := os.Rename(filepath.Join(dir, "a.go"), filepath.Join(dir, "b.go")); err != nil {
		t.Fatal(err)
	}
	if out := report(t, ctx, dir); !strings.Contains(out, "b.go:3") {
		t.Errorf("the report does not place F in b.go:\n%s", out)
	}
}

func TestBrokenFileKeepsItsPackageOut(t *testing.T) {
	ctx, dir := start(t, map[string]string{"go.mod": goMod, "a.go": rootA, "sub/b.go": "package sub\n\nfunc {\n"})
	var out bytes.Buffer
	err := stats(ctx, dir, &out)
	if err == nil {
		t.Fatalf("a broken file is no error:\n%s", out.String())
	}
	for _, want := range []string{"1 of 2 packages", "example.com/tree/sub is not Go", "b.go:3:6"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not have %q: %v", want, err)
		}
	}
	wantCalls(t, out.String(), "2 calls: 2 computed")

	write(t, dir, "sub/b.go", subB)
	wantCalls(t, report(t, ctx, dir), "3 calls: 1 hit, 2 computed")
}

func TestNoPackages(t *testing.T) {
	ctx, dir := start(t, map[string]string{"testdata/a.go": "package a\n", "nested/go.mod": goMod, "nested/a.go": rootA, "vendor/v/v.go": "package v\n", "_x/x.go": "package x\n"})
	if err := stats(ctx, dir, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "no Go package") {
		t.Errorf("a tree without packages: %v", err)
	}
}

// Input as it is out there: a small part of the standard library.
func TestStandardLibrary(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("the standard library is found with the go command: %v", err)
	}
	ctx, _ := start(t, nil)
	std, err := standardLibrary(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(std, "text")
	first := report(t, ctx, dir)
	if !regexp.MustCompile(`(?m)^  all packages +\d+ +\d,\d{3} `).MatchString(first) {
		t.Errorf("there are no totals as they must be:\n%s", first)
	}
	for _, want := range []string{"  text/template/parse ", "  text/template.state.walkRange "} {
		if !strings.Contains(first, want) {
			t.Errorf("the report does not have %q:\n%s", want, first)
		}
	}
	if second := report(t, ctx, dir); !regexp.MustCompile(`(?m)^\d+ calls: \d+ hits in`).MatchString(second) {
		t.Errorf("the second run did not find all:\n%s", second)
	}
}

// start makes an environment with a store of its own that subprocesses see,
// and a folder with files.
func start(t *testing.T, files map[string]string) (ctx context.Context, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	return mopstest.Context(t, mops.Root("file://"+t.TempDir())), dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, ctx context.Context, dir string) string {
	t.Helper()
	var out bytes.Buffer
	if err := stats(ctx, dir, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func wantCalls(t *testing.T, report, want string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(report), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, want+" in ") {
		t.Errorf("the last line is %q, want %q", last, want)
	}
}

func withoutCalls(report string) string {
	report = strings.TrimSpace(report)
	return report[:strings.LastIndexByte(report, '\n')]
}
