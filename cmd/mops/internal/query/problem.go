package query

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/file"

	"github.com/TrilliantHealth/mops-go/internal/base/text"
	"github.com/TrilliantHealth/mops-go/internal/base/words"
)

// Problem is what is wrong with an expression, and where.
type Problem struct {
	e       *expression
	message string
	placed  bool
	at      file.Location
	advice  []string
}

// Error shows the line of the expression with a caret below what is wrong.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "--%s: %s", p.e.flag, text.Clean(p.message))
	if p.placed {
		line, before, marked := p.line()
		fmt.Fprintf(&b, "\n  %s\n  %s%s", line, strings.Repeat(" ", before), strings.Repeat("^", marked))
	}
	for _, line := range p.advice {
		b.WriteString("\n" + text.Clean(line))
	}
	return b.String()
}

// line is the line in which the problem is, cut where it is long, and how much of it
// stands before the part that is marked.
func (p *Problem) line() (line string, before, marked int) {
	const most = 160
	source := []rune(p.e.source)
	from := min(max(p.at.From, 0), len(source))
	to := min(max(p.at.To, from+1), len(source)+1)
	start, end := from, from
	for start > 0 && source[start-1] != '\n' {
		start--
	}
	for end < len(source) && source[end] != '\n' {
		end++
	}
	start = max(start, from-most/2)
	end = min(end, start+most)
	shown := []rune(text.Clean(strings.ReplaceAll(string(source[start:end]), "\t", " ")))
	return string(shown), text.Columns(string(source[start:from])), max(1, min(to, end)-from)
}

// problem makes one of ours of an error of the library.
func (e *expression) problem(err error) error {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if at, ok := errors.AsType[*file.Error](err); ok {
		return e.reword(&Problem{e: e, at: at.Location, placed: true, message: at.Message})
	}
	if got, ok := strings.CutPrefix(err.Error(), "expected bool, but got "); ok {
		return &Problem{e: e, message: "a condition is true or false, and this is " + goTypes.Replace(got)}
	}
	return &Problem{e: e, message: err.Error()}
}

var (
	unknownName = regexp.MustCompile(`^unknown name (\S+)$`)
	mismatched  = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types? (.*)\)$`)
)

// reword says in the words of this tool what the library says in its own.
func (e *expression) reword(p *Problem) *Problem {
	if m := unknownName.FindStringSubmatch(p.message); m != nil {
		p.message = fmt.Sprintf("there is nothing called %s%s", m[1], meant(m[1], append(slices.Clone(variables), functionNames...)))
		p.advice = append(p.advice, "there are "+strings.Join(variables, ", "))
		return p
	}
	if m := mismatched.FindStringSubmatch(p.message); m != nil {
		p.message = fmt.Sprintf("%s does not go with %s", m[1], goTypes.Replace(m[2]))
	}
	return p
}

// goTypes are the words of users for types of the library.
var goTypes = strings.NewReplacer(
	"map[string]interface {}", "struct", "[]interface {}", "list", "interface {}", "value", "time.Time", "time", "time.Duration", "duration", "float64", "number", "[]uint8", "bytes",
)

// meant is "; did you mean X?", or "" where nothing is like it.
func meant(word string, candidates []string) string {
	if near := words.Nearest(word, candidates); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// noField says that a field is nowhere.
func (e *expression) noField(g gap) *Problem {
	source, at, among := []rune(e.source), g.at, g.among
	name := string(source[min(at.From, len(source)):min(max(at.To, at.From), len(source))])
	p := &Problem{e: e, at: at, placed: true, message: fmt.Sprintf("no call that was looked at has a field %s%s", name, meant(name, among))}
	const most = 40
	if len(among) > 0 {
		shown := among[:min(len(among), most)]
		of := g.of
		if strings.HasPrefix(of, "#") {
			of = "an element"
		}
		line := fmt.Sprintf("%s has the fields %s", of, strings.Join(shown, ", "))
		if len(among) > most {
			line += ", …"
		}
		p.advice = append(p.advice, line)
	}
	return p
}
