package doctest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go"
)

// exported are the names that package mops exports: functions, types, values,
// and methods and fields behind a dot.
func exported(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names = append(names, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						names = append(names, s.Name.Name)
					case *ast.ValueSpec:
						for _, name := range s.Names {
							names = append(names, name.Name)
						}
					}
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !ast.IsExported(name) })
}

var (
	mopsName = regexp.MustCompile(`\bmops\.([A-Z]\w*)`)
	variable = regexp.MustCompile(`\bMOPS_[A-Z_]*[A-Z]\b`)
)

func TestNamesExist(t *testing.T) {
	names := exported(t)
	variables := allVariables(t)
	for _, p := range pages(t) {
		for _, m := range mopsName.FindAllStringSubmatch(p.text, -1) {
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s: there is no mops.%s", p.name, m[1])
			}
		}
		for _, name := range variable.FindAllString(p.text, -1) {
			if !slices.Contains(variables, name) {
				t.Errorf("%s: nothing reads %s", p.name, name)
			}
		}
	}
}

// allVariables are the MOPS_ variables that the code knows.
func allVariables(t *testing.T) (names []string) {
	t.Helper()
	for _, folder := range []string{".", "internal/engine/config", "internal/engine/worker", "internal/suite", "cmd/mops", "cmd/mops/internal/*"} {
		paths, err := filepath.Glob(filepath.Join(repository, folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, variable.FindAllString(string(text), -1)...)
		}
	}
	return names
}

func TestEveryExportedNameIsOnAPage(t *testing.T) {
	var text strings.Builder
	for _, p := range pages(t) {
		text.WriteString(p.text)
	}
	for _, name := range exported(t) {
		if !regexp.MustCompile(`\bmops\.` + name + `\b`).MatchString(text.String()) {
			t.Errorf("no page says what mops.%s is", name)
		}
	}
}

func TestDefaultsAreTold(t *testing.T) {
	var all strings.Builder
	for _, p := range pages(t) {
		all.WriteString(p.text)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(all.String(), "`", "")), " ") // wherever lines break
	for name, value := range map[string]string{
		"Root": mops.DefaultRoot, "Pipeline": mops.DefaultPipeline,
		"CacheSize": fmt.Sprintf("%d GiB", mops.DefaultCacheSize>>30), "ReadCache": fmt.Sprintf("%d GiB", mops.DefaultReadCache>>30),
	} {
		if !strings.Contains(text, "mops.Default"+name+": "+value) {
			t.Errorf("no page says that mops.Default%s is %s", name, value)
		}
	}
	if want := fmt.Sprintf("mops.DefaultConcurrency is %d,%03d.", mops.DefaultConcurrency/1000, mops.DefaultConcurrency%1000); !strings.Contains(text, want) {
		t.Errorf("no page says: %s", want)
	}
}
