package main

import (
	"bytes"
	"go/ast"
	"go/scanner"
	"go/token"
)

// countLines tells lines of code and of comments apart by their tokens: a
// string of many lines is code, whatever is in it.
func countLines(text []byte) Lines {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments)
	const code, comment = 1, 2
	kind := map[int]int{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue // put in by the scanner
		}
		mark := code
		if tok == token.COMMENT {
			mark = comment
		}
		first := file.Line(pos)
		for line := first; line <= first+bytes.Count([]byte(literal), []byte("\n")); line++ {
			kind[line] |= mark
		}
	}
	lines := Lines{All: bytes.Count(text, []byte("\n"))}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		lines.All++
	}
	for _, k := range kind {
		if k&code != 0 {
			lines.Code++
		} else {
			lines.Comments++
		}
	}
	return lines
}

// complexity is the number of ways through a function that do not depend on
// each other: 1, and 1 for each place where the way forks.
func complexity(f *ast.FuncDecl) int {
	n := 1
	ast.Inspect(f, func(node ast.Node) bool {
		switch x := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if x.List != nil {
				n++
			}
		case *ast.CommClause:
			if x.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if x.Op == token.LAND || x.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}
