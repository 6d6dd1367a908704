package fingerprint

import (
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// decl is a declaration of a package that is followed, or something that counts
// like one: a file, a blank import.
type decl struct {
	pkg    *pkg
	file   *ast.File
	kind   code.Kind
	name   string       // with the path of its package: the same until it moves
	object types.Object // nil for a file or an import
	node   ast.Node     // *ast.FuncDecl, *ast.ValueSpec, *ast.TypeSpec, *ast.ImportSpec, or an expression
	group  *ast.GenDecl // the declaration that a spec is a part of
	path   string       // of a file

	known   *facts
	writing *writes
	before  *before
}

// declare lists the declarations of a package.
func (p *Program) declare(in *pkg) {
	in.linkname = findLinknames(in)
	add := func(d *decl) {
		d.pkg = in
		in.decls = append(in.decls, d)
		if d.object != nil {
			p.decls[d.object] = d
		}
	}
	for _, file := range in.syntax {
		for _, each := range file.Decls {
			switch each := each.(type) {
			case *ast.FuncDecl:
				object, _ := in.info.Defs[each.Name].(*types.Func)
				if object != nil {
					add(&decl{file: file, kind: kindOf(each), name: in.ImportPath + "." + funcName(each), object: object, node: each})
				}
			case *ast.GenDecl:
				for _, spec := range each.Specs {
					in.declareSpec(file, each, spec, add)
				}
			}
		}
	}
}

func (p *pkg) declareSpec(file *ast.File, group *ast.GenDecl, spec ast.Spec, add func(*decl)) {
	names, kind := []*ast.Ident{}, code.Var
	switch spec := spec.(type) {
	case *ast.ImportSpec:
		if spec.Name != nil && spec.Name.Name == "_" {
			add(&decl{file: file, kind: code.Import, name: p.ImportPath + ".import " + spec.Path.Value, node: spec})
		}
	case *ast.TypeSpec:
		names, kind = append(names, spec.Name), code.Type
		if spec.Assign.IsValid() {
			kind = code.Alias
		}
	case *ast.ValueSpec:
		names = spec.Names
		if group.Tok == token.CONST {
			kind = code.Const
		}
	}
	for _, name := range names {
		if object := p.info.Defs[name]; object != nil {
			add(&decl{file: file, kind: kind, name: p.ImportPath + "." + name.Name, object: object, node: spec, group: group})
		}
	}
}

func kindOf(f *ast.FuncDecl) code.Kind {
	switch {
	case f.Recv != nil:
		return code.Method
	case f.Name.Name == "init":
		return code.Init
	}
	return code.Func
}

// funcName is the name of a function, or Type.Method.
func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	for {
		switch x := receiver.(type) {
		case *ast.StarExpr:
			receiver = x.X
		case *ast.ParenExpr:
			receiver = x.X
		case *ast.IndexExpr:
			receiver = x.X
		case *ast.IndexListExpr:
			receiver = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// base is a declaration's name without the path of its package.
func (d *decl) base() string {
	return strings.TrimPrefix(strings.TrimPrefix(d.name, d.pkg.ImportPath), ".")
}

// position is where a declaration stands: a file, as the module with the path
// home has it, and a line.
func (p *Program) position(d *decl, home *pkg) (file string, line int) {
	if d.node == nil {
		return d.pkg.place(d.path, home), 0
	}
	pos := d.node.Pos()
	if d.object != nil {
		pos = d.object.Pos()
	}
	return p.place(d.pkg, pos, home)
}

func (p *Program) place(in *pkg, pos token.Pos, home *pkg) (file string, line int) {
	// Where the text really is, not what a //line comment says.
	at := p.files.PositionFor(pos, false)
	return in.place(path.Base(strings.ReplaceAll(at.Filename, `\`, "/")), home), at.Line
}

// place is a file of a package by its path in the module, and the path of the
// module if it is not that of home. It holds for every machine.
func (p *pkg) place(file string, home *pkg) string {
	if home.Module == nil || p.Module == nil {
		return path.Join(p.ImportPath, file)
	}
	return Place(home.Module.Path, p.Module.Path, p.ImportPath, file)
}

// lookup finds a declaration by the name that the linker knows, as linkname
// directives have it.
func (p *Program) lookup(symbol string, within []*pkg) *decl {
	for _, in := range within {
		name, ok := strings.CutPrefix(symbol, in.ImportPath+".")
		if !ok || in.checked == nil {
			continue
		}
		name = strings.NewReplacer("(*", "", ")", "").Replace(name)
		for _, d := range in.decls {
			if d.name == in.ImportPath+"."+name {
				return d
			}
		}
	}
	return nil
}

// isPackageLevel says that an object is declared by a package, not in a function.
func isPackageLevel(o types.Object) bool {
	return o.Pkg() != nil && o.Parent() == o.Pkg().Scope()
}
