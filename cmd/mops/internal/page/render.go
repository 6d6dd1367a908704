// Package page makes the pages of the tool: mops page writes a run as one HTML file,
// and mops serve shows a whole root in a browser, read only. Templates, style and
// script are embedded; a page asks for nothing elsewhere. Whatever comes from records
// is escaped by html/template, or put into the page by the script as text.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

//go:embed assets
var assets embed.FS

// asset is an embedded file. That it is missing is a mistake in this package.
func asset(name string) string {
	data, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// The script is made of several files, in this order, in one scope.
var scripts = []string{"base.js", "calls.js", "table.js", "list.js", "timeline.js", "graph.js", "main.js"}

// style, script and policy are of all pages. The policy allows this style and this
// script, by their hashes, and nothing else.
var (
	style  = sync.OnceValue(func() string { return asset("page.css") })
	script = sync.OnceValue(joined)
	policy = sync.OnceValue(func() string {
		return "default-src 'none'; script-src 'sha256-" + hash(script()) + "'; style-src 'sha256-" + hash(style()) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	})
)

func joined() string {
	var b strings.Builder
	b.WriteString("(() => {\n\"use strict\";\n")
	for _, name := range scripts {
		b.WriteString(asset(name))
	}
	b.WriteString("})();\n")
	return b.String()
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// templates are made when the first page is: most commands make none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(functions).ParseFS(assets, "assets/*.html"))
})

var functions = template.FuncMap{
	"number":     text.Number[int64],
	"count":      func(n int64, what string) string { return text.Count(n, what) },
	"bytes":      text.Bytes,
	"size":       size,
	"seconds":    seconds,
	"hours":      func(seconds float64) string { return text.Hours(seconds/3600) + " h" },
	"share":      share,
	"clean":      text.CleanLines,
	"words":      words.Of,
	"base":       path.Base,
	"first":      func(s string, n int) string { return s[:min(n, len(s))] },
	"time":       moment,
	"ago":        text.Ago,
	"json":       jsonText,
	"elsewhere":  func(memo string) bool { return strings.Contains(memo, "://") },
	"functionOf": func(memo string) string { return path.Base(path.Dir(memo)) },
	"callPath":   callPath,
	"functionPath": func(folder string) string {
		return "/function/" + escapedPath(folder)
	},
	"int64":  func(n int) int64 { return int64(n) },
	"more":   func(all, shown int) string { return text.Number(all - shown) },
	"gib":    func(gibSeconds float64) string { return text.Hours(gibSeconds/3600) + " GiB·h" },
	"meter":  meter,
	"money":  text.Money,
	"field":  field,
	"goOn":   goOn,
	"uri":    uriOf,
	"style":  func() template.CSS { return template.CSS(style()) },
	"script": func() template.JS { return template.JS(script()) },
}

// frame is what all pages have.
type frame struct {
	Title  string
	Kind   string // of the page: root, run, function, call
	Root   string // URI
	Now    time.Time
	Served bool   // links to other pages of the server lead somewhere
	Live   bool   // something on it may still change
	Policy string // of a file; a server says it in a header

	Run, Function string // where it stands, for the way back
}

// render writes a page.
func render(w io.Writer, name string, page any) error {
	var out bytes.Buffer
	if err := templates().ExecuteTemplate(&out, name, page); err != nil {
		return fmt.Errorf("the page cannot be written: %w", err)
	}
	_, err := w.Write(visible(out.Bytes()))
	return err
}

// visible replaces what nobody would see, and what would turn text around, wherever in
// a page it stands.
func visible(page []byte) []byte {
	odd := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Bidi_Control, r)
	}
	if bytes.IndexFunc(page, odd) < 0 {
		return page
	}
	return bytes.Map(func(r rune) rune {
		if odd(r) {
			return utf8.RuneError
		}
		return r
	}, page)
}

// jsonText is a value inside of a script element of type application/json: the
// encoder writes <, > and & as escapes, so nothing in it ends the element.
func jsonText(v any) (template.JS, error) {
	data, err := json.Marshal(v)
	return template.JS(data), err
}

// callPath is where the server shows a call.
func callPath(memo string) string { return "/call/" + escapedPath(memo) }

func escapedPath(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return strings.Join(segments, "/")
}

// moment is a time element, which the script writes anew in the reader's zone.
func moment(t time.Time) template.HTML {
	if t.IsZero() {
		return "unknown"
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339), t.Format("2 Jan 2006, 15:04:05 UTC")))
}

// seconds is a duration, with more digits than text.Seconds where it is short.
func seconds(s float64) string {
	switch {
	case s <= 0:
		return "0"
	case s < .001:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < .1:
		return fmt.Sprintf("%.1f ms", s*1e3)
	}
	return text.Seconds(s)
}

// size is an amount of memory: units are powers of 1024, as limits are given.
func size(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		switch {
		case f < 10 && unit != "B":
			return fmt.Sprintf("%.1f %s", f, unit)
		case f < 1000 || unit == "TiB":
			return fmt.Sprintf("%.0f %s", f, unit)
		}
		f /= 1024
	}
	return ""
}

// meter is how much of what was asked for was used, in percent.
func meter(used, asked any) float64 {
	number := func(v any) float64 {
		switch n := v.(type) {
		case float64:
			return n
		case int64:
			return float64(n)
		}
		return 0
	}
	return share(number(used), number(asked))
}

// field is a value of the user's own, as text or as JSON.
func field(v any) string {
	if s, ok := v.(string); ok {
		return text.Clean(s)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return text.Clean(string(data))
}

// uriOf is the memo URI of a call of a run, whose own root may be another.
func uriOf(root, memo string) string {
	if strings.Contains(memo, "://") {
		return memo
	}
	return root + "/" + memo
}

// facts are what the script of a page needs beside the data.
type facts struct {
	Root  string  `json:"root"`
	Run   string  `json:"run,omitempty"`
	Live  bool    `json:"live"`
	Start int64   `json:"start,omitempty"` // ms since 1970
	At    float64 `json:"at,omitempty"`    // seconds since then that the page knows of
	Calls int     `json:"calls"`           // that have ended, and stand in the data up to here
	Words string  `json:"words"`           // all from which the names of calls are made
}

func (p *runPage) Facts() facts {
	return facts{p.Root, p.Head.ID, p.Live && p.Served, p.Head.Start.UnixMilli(), p.Seconds, p.Listed, allWords}
}

func (p *functionPage) Facts() facts { return facts{Root: p.Root, Live: !p.Counted, Words: allWords} }

func (p *functionPage) CallsInt() int { return int(p.Calls) }

var allWords = strings.Join(words.All(), " ")

// share is a part of a whole in percent, between 0 and 100.
func share(part, whole float64) float64 {
	if !(whole > 0) || !(part > 0) {
		return 0
	}
	return math.Round(min(part/whole, 1)*1000) / 10
}

// median is that of durations, and 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
