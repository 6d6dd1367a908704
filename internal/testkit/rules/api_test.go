package rules

import (
	"flag"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write api/*.txt anew")

// What a program can use of each package stands in api/*.txt, so that whoever
// reviews a change sees what it does to programs. To write it anew:
//
//	go test ./internal/testkit/rules -run TestAPI -update
func TestAPI(t *testing.T) {
	const folder = "../../../api"
	before, err := filepath.Glob(folder + "/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for r, p := range public(t) {
		file := filepath.Join(folder, fileName(r))
		before = slices.DeleteFunc(before, func(other string) bool { return other == file })
		got := lines(p)
		if *update {
			if err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("%s has no longer: %s", p.Path(), line)
			}
		}
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Errorf("%s has, and api/*.txt has not: %s", p.Path(), line)
			}
		}
	}
	for _, file := range before {
		if *update {
			os.Remove(file)
			continue
		}
		t.Errorf("%s is of no package", file)
	}
	if t.Failed() {
		t.Log("where this is meant: go test ./internal/testkit/rules -run TestAPI -update")
	}
}

// fileName is "blob-s3blob.txt" for the room blob/s3blob.
func fileName(r string) string {
	if r == "" {
		r = "mops"
	}
	return strings.ReplaceAll(r, "/", "-") + ".txt"
}

var loaded map[string]*types.Package

// public are the packages that programs may import, by room.
func public(t *testing.T) map[string]*types.Package {
	t.Helper()
	if loaded != nil {
		return loaded
	}
	files := map[string]string{}
	var rooms []string
	for _, p := range compiled(t) {
		files[p.ImportPath] = p.Export
		if r, ours := room(p.ImportPath); ours && p.Name != "main" && !isInternal(p.ImportPath) {
			rooms = append(rooms, r)
		}
	}
	from := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	packages := map[string]*types.Package{}
	for _, r := range rooms {
		p, err := from.Import(strings.TrimSuffix(module+"/"+r, "/"))
		if err != nil {
			t.Fatal(err)
		}
		packages[r] = p
	}
	loaded = packages
	return packages
}

func isInternal(path string) bool { return strings.Contains("/"+path+"/", "/internal/") }

// lines are what a package exports: each constant with its value, each function,
// each type and, indented, what may be used of it.
func lines(p *types.Package) []string {
	all := []string{"package " + p.Name()}
	for _, name := range p.Scope().Names() {
		o := p.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		line := types.ObjectString(o, within(p))
		switch o := o.(type) {
		case *types.Const:
			line += " = " + o.Val().ExactString()
		case *types.TypeName:
			if !o.IsAlias() && isComposed(o.Type()) {
				line, _, _ = strings.Cut(line, "{")
			}
		}
		all = append(all, line)
		if o, ok := o.(*types.TypeName); ok && !isElsewhere(o) {
			all = append(all, members(o)...)
		}
	}
	return all
}

// within names the packages of others by their paths, ours without the module's.
func within(p *types.Package) types.Qualifier {
	return func(other *types.Package) string {
		if r, ours := room(other.Path()); other != p && ours {
			return r
		}
		return types.RelativeTo(p)(other)
	}
}

func isComposed(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Struct, *types.Interface:
		return true
	}
	return false
}

// isElsewhere says that a type is another name for one that stands in the API of
// its own package. One of an internal package stands nowhere else.
func isElsewhere(o *types.TypeName) bool {
	target, ok := types.Unalias(o.Type()).(*types.Named)
	return o.IsAlias() && ok && target.Obj().Pkg() != nil && !isInternal(target.Obj().Pkg().Path())
}

// members are the exported fields and methods of a type.
func members(o *types.TypeName) (all []string) {
	t := types.Unalias(o.Type())
	switch u := t.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			if f.Exported() {
				all = append(all, "\tfield "+o.Name()+"."+f.Name()+" "+types.TypeString(f.Type(), within(o.Pkg())))
			}
		}
	case *types.Interface:
		sealed := false
		for m := range u.Methods() {
			if sealed = sealed || !m.Exported(); m.Exported() {
				all = append(all, "\t"+types.ObjectString(m, within(o.Pkg())))
			}
		}
		if sealed {
			all = append(all, "\tnobody else can implement "+o.Name())
		}
		return all
	}
	for m := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if m.Obj().Exported() {
			all = append(all, "\t"+types.ObjectString(m.Obj(), within(o.Pkg())))
		}
	}
	return all
}
