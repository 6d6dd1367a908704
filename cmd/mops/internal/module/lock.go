package module

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// lock is what the lock of a package says of a function. If it cannot be read,
// err says why.
type lock struct {
	file string
	of   code.Locked
	err  error
}

// lockOf is what a lock of the module says of a function; nil if none does.
func (m *Module) lockOf(name, defined string) (*lock, error) {
	if !m.walked {
		m.walked = true
		if err := m.walk(func(path string) { m.locks = append(m.locks, readLock(path)...) }); err != nil {
			m.locks = append(m.locks, lock{err: err})
		}
	}
	var all []*lock
	var wrong error
	for i := range m.locks {
		switch l := &m.locks[i]; {
		case l.err != nil:
			wrong = l.err
		case l.of.Name == name:
			all = append(all, l)
		}
	}
	found, err := one(all, name, defined, func(l *lock) string { return l.of.Package })
	if found == nil && err == nil {
		err = wrong // which may be the one
	}
	return found, err
}

// readLock reads the lock of a package: the text in the file, which is Go.
func readLock(path string) (all []lock) {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return []lock{{err: fmt.Errorf("%w: run mops-lock to write it anew", err)}}
	}
	stated, err := code.ParseLock(lockText(parsed))
	if err != nil {
		return []lock{{err: code.Unreadable(path, err)}}
	}
	for _, f := range stated.Functions {
		all = append(all, lock{file: path, of: f})
	}
	return all
}

// lockText is what the file states.
func lockText(file *ast.File) (stated string) {
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if value, err := strconv.Unquote(literal.Value); err == nil && strings.HasPrefix(value, "mops lock ") {
				stated = value
			}
		}
		return true
	})
	return stated
}
