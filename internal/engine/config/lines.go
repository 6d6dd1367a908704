package config

import (
	"bytes"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxSpan is how many lines an expression may span before the search for lines
// gives up: no setting is that long, and the search stays quick.
const maxSpan = 40

// maxDepth is the depth of the deepest keys that anybody asks for: those of
// [function."name"].
const maxDepth = 3

// lines are the lines, from 1, on which the keys of a TOML document are first
// named. The empty key has the line where the search ended.
type lines map[string]int

// at is the line of a key, or of the table around it.
func (l lines) at(path ...string) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if line, ok := l[pathKey(path)]; ok {
			return line
		}
	}
	return l[""]
}

func pathKey(path []string) string { return strings.Join(path, "\x00") }

// linesOf finds the lines of all keys in a sound document. The decoder tells
// lines in its own errors only. So the document is cut into its expressions: a
// line, and those after it while they do not parse yet. That is exact, because
// no TOML expression that spans lines is sound before its last one.
func linesOf(document []byte) lines {
	found := lines{}
	var table []string
	rest := bytes.Split(document, []byte("\n"))
	for i := 0; i < len(rest); {
		found[""] = i + 1
		expression, span := expressionAt(rest[i:])
		if span == 0 {
			break
		}
		header := bytes.HasPrefix(bytes.TrimSpace(rest[i]), []byte("["))
		if header {
			table = nil
		}
		last := found.add(table, expression, i+1)
		if header {
			table = last
		}
		i += span
	}
	return found
}

// expressionAt parses the expression that begins with the first line, and says
// how many lines it spans; 0 where that is too many.
func expressionAt(rest [][]byte) (expression map[string]any, span int) {
	for span = 1; span <= min(maxSpan, len(rest)); span++ {
		expression = nil
		if toml.Unmarshal(append(bytes.Join(rest[:span], []byte("\n")), '\n'), &expression) == nil {
			return expression, span
		}
	}
	return nil, 0
}

// add notes the keys of an expression below table, and returns the deepest.
func (l lines) add(table []string, expression map[string]any, line int) (deepest []string) {
	deepest = table
	if len(table) == maxDepth {
		return deepest
	}
	for key, value := range expression {
		path := append(table[:len(table):len(table)], key)
		if _, ok := l[pathKey(path)]; !ok {
			l[pathKey(path)] = line
		}
		below := path
		switch value := value.(type) {
		case map[string]any:
			below = l.add(path, value, line)
		case []any: // an array of tables
			for _, element := range value {
				if element, ok := element.(map[string]any); ok {
					below = l.add(path, element, line)
				}
			}
		}
		if len(below) > len(deepest) {
			deepest = below
		}
	}
	return deepest
}
