package fingerprint

import (
	"fmt"
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// files are the declarations that stand for files of a package, in the order of
// their names.
func (w *writer) files(names ...string) {
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		w.ref(w.program.fileDecl(w.decl.pkg, name))
	}
}

// fileDecl is the declaration that stands for a file.
func (p *Program) fileDecl(in *pkg, name string) *decl {
	full := in.ImportPath + "/" + filepath.ToSlash(name)
	for _, d := range in.decls {
		if d.kind == code.File && d.name == full {
			return d
		}
	}
	d := &decl{pkg: in, kind: code.File, name: full, path: filepath.ToSlash(name)}
	in.decls = append(in.decls, d)
	return d
}

// file writes a file: its name in its package, and its content as it is. What
// assembly names in Go counts, too.
func (w *writer) file() error {
	name := w.decl.path
	content, err := os.ReadFile(filepath.Join(w.decl.pkg.Dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	w.both(name, string(content))
	if slices.Contains(w.decl.pkg.SFiles, name) || slices.Contains(w.decl.pkg.HFiles, name) {
		w.assemblyRefs(string(content))
	}
	return nil
}

var words = regexp.MustCompile(`[\pL_][\pL\pN_]*`)

// assemblyRefs refers to whatever a file of assembly may mean: a function or a
// variable, ·name; a constant, const_name; a field, Type_field.
func (w *writer) assemblyRefs(text string) {
	scope := w.decl.pkg.types.Scope()
	for _, word := range words.FindAllString(text, -1) {
		candidates := []string{word, strings.TrimPrefix(word, "const_")}
		if before, _, ok := strings.Cut(word, "_"); ok {
			candidates = append(candidates, before)
		}
		for _, name := range candidates {
			if o := scope.Lookup(name); o != nil && w.program.decls[o] != nil {
				w.ref(w.program.decls[o])
			}
		}
	}
}

// embedded refers to the files that a variable gets from go:embed directives.
func (w *writer) embedded() error {
	spec := w.decl.node.(*ast.ValueSpec)
	var names []string
	for _, doc := range []*ast.CommentGroup{w.decl.group.Doc, spec.Doc} {
		patterns, err := embedPatterns(doc)
		if err != nil {
			return fmt.Errorf("%s: %w", w.decl.name, err)
		}
		for _, name := range w.decl.pkg.EmbedFiles {
			if slices.ContainsFunc(patterns, func(pattern string) bool { return embeds(pattern, filepath.ToSlash(name)) }) {
				names = append(names, name)
			}
		}
	}
	w.files(names...)
	return nil
}

func embedPatterns(doc *ast.CommentGroup) (all []string, err error) {
	if doc == nil {
		return nil, nil
	}
	for _, comment := range doc.List {
		rest, ok := strings.CutPrefix(comment.Text, "//go:embed")
		for rest = strings.TrimSpace(rest); ok && rest != ""; rest = strings.TrimSpace(rest) {
			pattern, _, _ := strings.Cut(rest, " ")
			if quoted, err := strconv.QuotedPrefix(rest); err == nil {
				rest = rest[len(quoted):]
				if pattern, err = strconv.Unquote(quoted); err != nil {
					return nil, err
				}
			} else {
				rest = rest[len(pattern):]
			}
			all = append(all, strings.TrimPrefix(strings.TrimSpace(pattern), "all:"))
		}
	}
	return all, nil
}

// embeds says that a pattern means a file, or a folder that the file is in. The
// go command has left out already what it never embeds.
func embeds(pattern, file string) bool {
	for ; file != "."; file = path.Dir(file) {
		if ok, _ := path.Match(pattern, file); ok || pattern == "." {
			return true
		}
	}
	return false
}

// bodyElsewhere refers to where the body of a function may be: a package's
// assembly counts as a whole, since any file of it may be meant.
func (w *writer) bodyElsewhere() {
	in := w.decl.pkg
	name := w.decl.base()
	w.facts.symbol = in.ImportPath + "." + name
	if symbol, ok := in.linkname[name]; ok {
		w.symbol(symbol)
	} else if len(in.SFiles) == 0 {
		w.note(w.decl.node.Pos(), name+" has its body elsewhere: only what this program's packages push to it counts")
	}
	if len(in.SFiles) > 0 {
		w.files(slices.Concat(in.SFiles, in.HFiles)...)
		w.note(w.decl.node.Pos(), name+" may be in assembly: all assembly of its package counts, with its comments")
	}
	w.files(slices.Clone(in.SysoFiles)...)
}

// linknames are the names that linkname directives give to what a package declares.
type linknames map[string]string

func findLinknames(in *pkg) linknames {
	found := linknames{}
	for _, file := range in.syntax {
		for _, group := range file.Comments {
			for _, comment := range group.List {
				if rest, ok := strings.CutPrefix(comment.Text, "//go:linkname "); ok {
					if parts := strings.Fields(rest); len(parts) == 2 {
						found[parts[0]] = parts[1]
					}
				}
			}
		}
	}
	return found
}

// symbol says that the linker finds what is declared here under another name.
func (w *writer) symbol(symbol string) {
	w.facts.symbol = symbol
	w.both("linkname", symbol)
}

func (w *writer) linknamedVariable() {
	if symbol, ok := w.decl.pkg.linkname[w.decl.base()]; ok {
		w.symbol(symbol)
	}
}

// cgo makes a declaration in a file with C refer to its whole package: which
// parts meet in C is not seen from here.
func (w *writer) cgo() {
	in := w.decl.pkg
	if !slices.ContainsFunc(w.decl.file.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"C"` }) {
		return
	}
	w.files(slices.Concat(in.CgoFiles, in.CFiles, in.CXXFiles, in.MFiles, in.FFiles, in.HFiles, in.SwigFiles, in.SwigCXXFiles, in.SFiles, in.SysoFiles)...)
	names := slices.Clone(in.decls)
	slices.SortStableFunc(names, func(a, b *decl) int { return strings.Compare(a.name, b.name) })
	for _, d := range names {
		if d.kind != code.File && d.kind != code.Const && d.kind != code.Alias {
			w.ref(d)
		}
	}
	w.note(w.decl.node.Pos(), w.decl.base()+" is in a file with C: its package counts as a whole, with comments in such files; libraries that it links do not")
}
