package fingerprint

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// This package, as a specimen of Go, is edited at each place where one small edit
// changes what it does. Whatever still compiles must have another hash.
func TestEveryEditIsSeen(t *testing.T) {
	p, err := Load(t.Context(), Config{}, ".")
	if err != nil {
		t.Fatal(err)
	}
	specimen := p.matched[0]
	if err := p.checker.need(t.Context(), specimen); err != nil {
		t.Fatal(err)
	}
	hashes := func(files []*ast.File) map[string]hashed {
		edited := *specimen
		edited.checked = &checked{syntax: files}
		p.packages[specimen.ImportPath] = &edited
		if p.checker.check(&edited); edited.err != nil {
			return nil
		}
		found := map[string]hashed{}
		for _, d := range edited.decls {
			if d.kind != code.Import {
				f, err := p.facts(d)
				if err != nil {
					t.Fatal(err)
				}
				found[d.name] = f.exact
			}
		}
		return found
	}
	before := hashes(specimen.syntax)
	if len(before) < 100 {
		t.Fatalf("%d declarations", len(before))
	}

	every := 13 // all of them take minutes
	if testing.Short() {
		every = 97
	}
	places, seen := 0, 0
	for _, file := range specimen.syntax {
		for _, declared := range file.Decls {
			f, ok := declared.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			name := specimen.ImportPath + "." + funcName(f)
			for _, m := range mutations(f.Body, specimen.info) {
				if places++; places%every != 0 {
					continue
				}
				m.do()
				after := hashes(specimen.syntax)
				m.undo()
				if after == nil {
					continue // it does not compile
				}
				seen++
				if after[name] == before[name] {
					t.Errorf("%s: %s is not seen", p.files.Position(m.pos), m.what)
				}
				for other := range before {
					if other != name && after[other] != before[other] {
						t.Errorf("%s: %s changes %s, too", p.files.Position(m.pos), m.what, other)
					}
				}
			}
		}
	}
	t.Logf("%d edits, %d of them compile", places, seen)
	if places < 500 || seen == 0 {
		t.Error("that is not enough")
	}
}

type mutation struct {
	pos      token.Pos
	what     string
	do, undo func()
}

// mutations are edits of a function's body.
func mutations(body *ast.BlockStmt, info *types.Info) (all []mutation) {
	add := func(n ast.Node, what string, do, undo func()) { all = append(all, mutation{n.Pos(), what, do, undo}) }
	operator := func(n ast.Node, of *token.Token, to token.Token) {
		from := *of
		add(n, from.String()+" to "+to.String(), func() { *of = to }, func() { *of = from })
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if to, ok := otherOperators[n.Op]; ok {
				operator(n, &n.Op, to)
			}
			if info.Types[n].Value != nil { // of a constant, the value may stay
				break
			}
			add(n, "operands change places", func() { n.X, n.Y = n.Y, n.X }, func() { n.X, n.Y = n.Y, n.X })
		case *ast.AssignStmt:
			if n.Tok == token.ASSIGN && len(n.Rhs) > 1 && differ(n.Rhs[0], n.Rhs[1]) {
				add(n, "values change places", func() { n.Rhs[0], n.Rhs[1] = n.Rhs[1], n.Rhs[0] }, func() { n.Rhs[0], n.Rhs[1] = n.Rhs[1], n.Rhs[0] })
			}
			if n.Tok == token.ASSIGN {
				operator(n, &n.Tok, token.ADD_ASSIGN)
			}
		case *ast.IncDecStmt:
			operator(n, &n.Tok, otherOperators[n.Tok])
		case *ast.BranchStmt:
			if to, ok := otherOperators[n.Tok]; ok {
				operator(n, &n.Tok, to)
			}
		case *ast.BasicLit:
			old := n.Value
			if n.Kind == token.INT {
				add(n, "another number", func() { n.Value = old + "1" }, func() { n.Value = old })
			} else if text, err := strconv.Unquote(old); err == nil && n.Kind == token.STRING {
				add(n, "another text", func() { n.Value = strconv.Quote(text + "x") }, func() { n.Value = old })
			}
		case *ast.CallExpr:
			if len(n.Args) > 1 && differ(n.Args[0], n.Args[1]) {
				add(n, "arguments change places", func() { n.Args[0], n.Args[1] = n.Args[1], n.Args[0] }, func() { n.Args[0], n.Args[1] = n.Args[1], n.Args[0] })
			}
			if old := n.Ellipsis; old.IsValid() {
				add(n, "no ellipsis", func() { n.Ellipsis = token.NoPos }, func() { n.Ellipsis = old })
			}
		case *ast.IfStmt:
			if old := n.Else; old != nil {
				add(n, "no else", func() { n.Else = nil }, func() { n.Else = old })
			}
			cond := n.Cond
			add(n, "not", func() { n.Cond = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: cond}} }, func() { n.Cond = cond })
		case *ast.SliceExpr:
			if low, high := n.Low, n.High; low != high && !n.Slice3 {
				add(n, "bounds change places", func() { n.Low, n.High = high, low }, func() { n.Low, n.High = low, high })
			}
		case *ast.RangeStmt:
			if key, value := n.Key, n.Value; value == nil && key != nil {
				add(n, "the value, not the key", func() { n.Key, n.Value = ast.NewIdent("_"), key }, func() { n.Key, n.Value = key, nil })
			}
		case *ast.BlockStmt:
			statements(add, n, &n.List)
		case *ast.CaseClause:
			statements(add, n, &n.Body)
			if list := n.List; len(list) > 1 {
				add(n, "a case less", func() { n.List = list[1:] }, func() { n.List = list })
			}
		}
		return true
	})
	return all
}

func differ(a, b ast.Expr) bool { return types.ExprString(a) != types.ExprString(b) }

// statements takes each statement away, and exchanges it with the next.
func statements(add func(ast.Node, string, func(), func()), n ast.Node, list *[]ast.Stmt) {
	old := *list
	for i := range old {
		without := append(append([]ast.Stmt{}, old[:i]...), old[i+1:]...)
		add(old[i], "a statement less", func() { *list = without }, func() { *list = old })
		if i+1 < len(old) {
			swapped := append([]ast.Stmt{}, old...)
			swapped[i], swapped[i+1] = old[i+1], old[i]
			add(old[i], "statements change places", func() { *list = swapped }, func() { *list = old })
		}
	}
}

var otherOperators = map[token.Token]token.Token{
	token.ADD: token.SUB, token.SUB: token.ADD, token.LAND: token.LOR, token.LOR: token.LAND,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.LEQ, token.GTR: token.GEQ,
	token.LEQ: token.LSS, token.GEQ: token.GTR, token.SHL: token.SHR,
	token.INC: token.DEC, token.DEC: token.INC, token.BREAK: token.CONTINUE, token.CONTINUE: token.BREAK,
}
