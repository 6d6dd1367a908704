package purity

import (
	"go/ast"
	"go/token"
	"strings"
)

// directive is the comment that accepts findings.
const directive = "//mops:pure"

// accepts are the comments of a file, or those that matter for one declaration.
// The value of a line is the place of a comment.
type accepts struct {
	all   bool              // the whole file or declaration is accepted
	lines map[int]token.Pos // lines that are
	blank []token.Pos       // comments that give no reason
}

// accepts finds the comments of a file: before its package clause for all of it;
// at the end of a line for the line; alone on a line for the next one.
func (r *reader) accepts(file *ast.File) *accepts {
	a := &accepts{lines: map[int]token.Pos{}}
	var code map[int]bool
	for _, group := range file.Comments {
		for _, c := range group.List {
			reason, ok := reasonOf(c)
			if !ok {
				continue
			}
			if reason == "" {
				a.blank = append(a.blank, c.Pos())
			}
			line := r.place(c.Pos()).Line
			if c.Pos() < file.Package || line == r.place(file.Package).Line {
				a.all = true
				continue
			}
			if code == nil {
				code = r.linesOf(file)
			}
			if !code[line] {
				line++
			}
			a.lines[line] = c.Pos()
		}
	}
	return a
}

// reasonOf is the reason that an accepting comment gives.
func reasonOf(c *ast.Comment) (reason string, ok bool) {
	rest, ok := strings.CutPrefix(c.Text, directive)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", false
	}
	return strings.TrimSpace(rest), true
}

// linesOf are the lines on which there is code.
func (r *reader) linesOf(file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.Comment, *ast.CommentGroup:
			return false
		case *ast.File:
			return true
		}
		lines[r.place(n.Pos()).Line] = true
		lines[r.place(n.End()-1).Line] = true
		return true
	})
	return lines
}

// declared are the comments that matter for a declaration: one in its doc
// comment or on its first line accepts all that it does.
func (a *accepts) declared(r *reader, name token.Pos, docs ...*ast.CommentGroup) *accepts {
	own := &accepts{all: a.all, lines: a.lines, blank: a.blank}
	_, first := a.lines[r.place(name).Line]
	own.all = own.all || first
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			_, ok := reasonOf(c)
			own.all = own.all || ok
		}
	}
	return own
}

// reasons reports the comments that give none, if they are for what is read.
func (a *accepts) reasons(b *body) {
	first, last := b.place(b.node.Pos()).Line, b.place(b.node.End()).Line
	for _, pos := range a.blank {
		at := b.place(pos)
		inside := at.Line >= first && at.Line <= last
		above := at.Line < first && a.all && pos < b.node.Pos()
		if inside || above {
			b.decl.Events = append(b.decl.Events, Event{Kind: unasked, Class: Comment, At: at, Name: directive})
		}
	}
}
