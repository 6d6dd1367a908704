package query

import (
	"github.com/expr-lang/expr/ast"

	"github.com/TrilliantHealth/mops-go/internal/values/dynamic"
)

// Part is how much of a variable expressions ask for; nil if they do not.
func (q *Query) Part(variable string) *dynamic.Part { return q.needs[variable] }

// Variables are those that expressions ask for.
func (q *Query) Variables() []string { return q.variables }

// pathFinder collects what an expression reads of its variables: the longest steps
// by name, such as In.Area.Name.
type pathFinder struct {
	reads  map[ast.Node][]string
	within map[ast.Node]bool // it is a part of a longer path
}

// pathsOf are the paths that an expression reads, each with its variable first.
func pathsOf(root ast.Node) (paths [][]string, whole []string) {
	p := pathFinder{map[ast.Node][]string{}, map[ast.Node]bool{}}
	ast.Walk(&root, &p)
	for n, path := range p.reads {
		if !p.within[n] {
			paths = append(paths, path)
		}
	}
	return paths, p.reads[root]
}

// Visit implements ast.Visitor: parts come before the whole.
func (p *pathFinder) Visit(n *ast.Node) {
	extend := func(from ast.Node, more ...string) {
		if path, ok := p.reads[from]; ok {
			p.reads[*n] = append(path[:len(path):len(path)], more...)
			p.within[from] = true
		}
	}
	switch node := (*n).(type) {
	case *ast.IdentifierNode:
		p.reads[node] = []string{node.Value}
	case *ast.ChainNode:
		extend(node.Node)
	case *ast.MemberNode:
		if name, ok := node.Property.(*ast.StringNode); ok {
			extend(node.Node, name.Value)
		}
	}
}
