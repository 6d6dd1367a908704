package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Whatever a program can use, a test of ours or another package uses: nothing is
// exported for nobody. Types are not asked for: whoever calls what returns or takes
// them has used them.
func TestEveryNameHasAUser(t *testing.T) {
	used := usedNames(t)
	used[".UnmarshalCBOR"] = true             // by the decoder
	used["executor/executortest.Work"] = true // by k8s/testdata/worker
	for r, p := range public(t) {
		for _, name := range p.Scope().Names() {
			o := p.Scope().Lookup(name)
			if !o.Exported() {
				continue
			}
			named, isType := o.(*types.TypeName)
			if !isType && !used[r+"."+name] {
				t.Errorf("neither a test nor another package uses %s.%s: does anybody?", p.Path(), name)
			}
			if isType && !isElsewhere(named) {
				for m := range types.NewMethodSet(types.NewPointer(types.Unalias(o.Type()))).Methods() {
					if m.Obj().Exported() && !used["."+m.Obj().Name()] {
						t.Errorf("nothing calls %s.%s.%s: does anybody?", p.Path(), name, m.Obj().Name())
					}
				}
			}
		}
	}
}

// usedNames are "room.Name" for what files use of other packages of ours, and tests
// of their own; and ".Name" for all fields and methods that they select.
func usedNames(t *testing.T) map[string]bool {
	used := map[string]bool{}
	for file, text := range sources(t) {
		syntax, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		var plain []string // rooms whose names stand without a package
		if strings.HasSuffix(file, "_test.go") && !strings.HasSuffix(syntax.Name.Name, "_test") {
			plain = append(plain, strings.TrimPrefix(strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../.."), "/"))
		}
		imports := map[string]string{}
		for _, i := range syntax.Imports {
			imported, _ := strconv.Unquote(i.Path.Value)
			if r, ours := room(imported); ours {
				name := path.Base(r)
				if r == "" {
					name = "mops"
				}
				if i.Name != nil {
					name = i.Name.Name
				}
				if imports[name] = r; name == "." {
					plain = append(plain, r)
				}
			}
		}
		ast.Inspect(syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				used["."+n.Sel.Name] = true
				if x, ok := n.X.(*ast.Ident); ok {
					if r, ours := imports[x.Name]; ours {
						used[r+"."+n.Sel.Name] = true
					}
				}
			case *ast.Ident:
				for _, r := range plain {
					used[r+"."+n.Name] = true
				}
			}
			return true
		})
	}
	return used
}
