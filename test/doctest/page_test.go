package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is one file of documentation.
type page struct {
	name   string // from the top of the checkout
	text   string
	prose  string // text without blocks
	blocks []block
}

// block is one fenced block.
type block struct {
	language string // console, go, toml or text
	from     string // what stands behind the language
	lines    []string
	line     int // in the page, of its first line
}

var repository, _ = filepath.Abs("../..")

func pages(t *testing.T) []page {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []page
	for _, name := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} {
		paths = append(paths, filepath.Join(repository, name))
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(repository, path)
		p := page{name: name, text: string(text)}
		p.blocks, p.prose = split(t, name, p.text)
		all = append(all, p)
	}
	return all
}

func split(t *testing.T, name, text string) (all []block, prose string) {
	t.Helper()
	var outside strings.Builder
	var open *block
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			language, from, _ := strings.Cut(fence, " ")
			open = &block{language: language, from: from, line: i + 2}
		case isFence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		default:
			outside.WriteString(line + "\n")
		}
	}
	if open != nil {
		t.Errorf("%s:%d: the block does not end", name, open.line)
	}
	return all, outside.String()
}

var pathComment = regexp.MustCompile(`^(?://|#) ([\w./-]+\.(?:go|toml))$`)

// file is the path under which a block is written, if it is a file.
func (b block) file() (path string, ok bool) {
	if (b.language != "go" && b.language != "toml") || len(b.lines) == 0 {
		return "", false
	}
	m := pathComment.FindStringSubmatch(b.lines[0])
	if m == nil {
		return "", false
	}
	return m[1], true
}

// monitoring is the page whose configuration and queries package otel gives to a real
// collector and Prometheus.
const monitoring = "docs/opentelemetry.md"

// nightly is the page whose file package tooltest gives to a cluster.
const nightly = "docs/kubernetes-cron.md"

func TestBlocks(t *testing.T) {
	for _, p := range pages(t) {
		for i, b := range p.blocks {
			path, isFile := b.file()
			switch {
			case b.language == "console", b.language == "text":
			case p.name == monitoring && (b.language == "yaml" || b.language == "promql"): // module test's package otel runs them
			case p.name == nightly && b.language == "yaml": // module test's package tooltest does
			case isFile && strings.HasSuffix(path, ".go") && !runsLater(p.blocks[i+1:]):
				t.Errorf("%s:%d: nothing on the page builds or runs this program", p.name, b.line)
			case isFile:
			case b.language == "go" && b.from != "":
			default:
				t.Errorf("%s:%d: a block of %q is neither console, text, a file (its first line a comment with its path) nor a fragment of Go that says where it was taken from", p.name, b.line, b.language)
			}
		}
	}
}

func runsLater(blocks []block) bool {
	for _, b := range blocks {
		for _, c := range b.commands() {
			if strings.Contains(c.line, "go run") || strings.Contains(c.line, "go build") || strings.Contains(c.line, "go test") {
				return true
			}
		}
	}
	return false
}
