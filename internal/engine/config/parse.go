package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/TrilliantHealth/mops-go/internal/base/words"
	"github.com/TrilliantHealth/mops-go/internal/records/memokey"
)

// Error is one mistake in a config file.
type Error struct {
	Path    string
	Line    int    // from 1
	Message string // what is wrong and how to mend it
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, cut(e.Message, 500)) }

// maxMistakes is how many are reported at once.
const maxMistakes = 20

// Parse understands the content of a config file; path is for messages. The
// error holds an [*Error] for each mistake, up to twenty.
func Parse(path string, data []byte) (*File, error) {
	data, problem := decodable(data)
	if problem != nil {
		problem.Path = path
		return nil, problem
	}
	var document map[string]any
	if err := toml.Unmarshal(data, &document); err != nil {
		problem := syntaxError(data, err)
		problem.Path = path
		return nil, problem
	}
	p := &parser{file: &File{Path: path}, lines: linesOf(data)}
	p.file.lines = p.lines
	p.document(document)
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b *Error) int { return a.Line - b.Line })
		var all []error
		for _, problem := range p.problems[:min(maxMistakes, len(p.problems))] {
			all = append(all, problem)
		}
		return nil, errors.Join(all...)
	}
	slices.SortFunc(p.file.Entries, func(a, b Entry) int { return strings.Compare(a.Prefix, b.Prefix) })
	return p.file, nil
}

// decodable is data as the TOML decoder wants it: UTF-8 without a byte order mark.
func decodable(data []byte) ([]byte, *Error) {
	if len(data) > maxFile {
		return nil, &Error{Line: 1, Message: fmt.Sprintf("larger than %d bytes; this is hardly a config file: correct the path", maxFile)}
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, &Error{Line: 1, Message: "it is UTF-16; save the file as UTF-8"}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for i, line := range bytes.Split(data, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, &Error{Line: i + 1, Message: "it has a character that is not UTF-8; save the file as UTF-8"}
		}
	}
	return data, nil
}

// syntaxError says where the decoder stopped, and what people mostly get wrong there.
func syntaxError(data []byte, err error) *Error {
	problem := &Error{Line: 1, Message: strings.TrimPrefix(err.Error(), "toml: ")}
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		problem.Line, _ = at.Position()
	}
	var line string
	if all := bytes.Split(data, []byte("\n")); problem.Line >= 1 && problem.Line <= len(all) {
		line = strings.TrimSpace(string(all[problem.Line-1]))
	}
	name, header := strings.CutPrefix(line, "[function.")
	_, value, assigns := strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	switch {
	case header && !strings.ContainsAny(name, `"'`):
		problem.Message += fmt.Sprintf("; write a function's name in quotes: [function.%q]", strings.TrimRight(name, "]"))
	case assigns && value != "" && !strings.ContainsAny(value, `"'[]{}`):
		problem.Message += "; write text in quotes; only true, false and numbers go without"
	default:
		problem.Message += `; each line is key = value, or [function."name"] before the settings of a function`
	}
	return problem
}

// parser makes a File of a decoded document and collects what is wrong.
type parser struct {
	file     *File
	lines    lines
	problems []*Error
}

func (p *parser) fail(line int, format string, args ...any) {
	p.problems = append(p.problems, &Error{Path: p.file.Path, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) document(document map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(document)) {
		value := document[key]
		switch _, isTable := value.(map[string]any); {
		case key == "function" && isTable: // below
		case key == "function":
			p.fail(p.lines.at(key), `function is %s; write settings for functions below [function."name"]`, typeName(value))
		case key == "runs":
			keep, err := readBool(value)
			if err != nil {
				p.fail(p.lines.at(key), "runs = %s: %s", shown(value), err)
			}
			p.file.KeepRuns = &keep
		case key == "prices":
			p.prices(value)
		case tables[key] != nil:
			p.table(key, value)
		case key == "force":
			p.fail(p.lines.at(key), `force belongs to an entry for functions; to force settings for all of them, put both below [function.""]`)
		case isTable:
			if _, known := settingOf(key); known {
				p.setting(&p.file.Defaults, value, key)
			} else if words.Nearest(key, []string{"function"}) != "" {
				p.fail(p.lines.at(key), `unknown table %q; did you mean [function."name"]?`, key)
			} else {
				p.fail(p.lines.at(key), "unknown table %q; write settings for the functions of that name below [function.%q]", key, key)
			}
		default:
			p.setting(&p.file.Defaults, value, key)
		}
	}
	p.contradictions(p.file.Defaults)
	if table, isTable := document["function"].(map[string]any); isTable {
		p.functions(table)
	}
}

func (p *parser) functions(table map[string]any) {
	byPrefix := map[string]string{} // as written
	names := slices.Sorted(maps.Keys(table))
	slices.SortStableFunc(names, func(a, b string) int {
		return p.lines.at("function", a) - p.lines.at("function", b)
	})
	for _, name := range names {
		line := p.lines.at("function", name)
		prefix, err := normalPrefix(name)
		if err != nil {
			p.fail(line, "[function.%q]: %s", name, err)
			continue
		}
		if before, ok := byPrefix[prefix]; ok {
			p.fail(line, "[function.%q] covers the same functions as [function.%q] on line %d; make one of the two",
				name, before, p.lines.at("function", before))
			continue
		}
		byPrefix[prefix] = name
		settings, isTable := table[name].(map[string]any)
		if !isTable {
			p.misplaced(name, table[name])
			continue
		}
		entry := Entry{Prefix: prefix, Line: line}
		p.entry(&entry, name, settings)
		p.lines[pathKey([]string{"function", prefix})] = line
		for key := range settings {
			p.lines[pathKey([]string{"function", prefix, key})] = p.lines.at("function", name, key)
		}
		p.file.Entries = append(p.file.Entries, entry)
	}
}

// misplaced explains function.key = value, which is a setting of no function,
// or a list of tables.
func (p *parser) misplaced(name string, value any) {
	line := p.lines.at("function", name)
	if _, known := settingOf(name); known {
		p.fail(line, `%s is a setting of no function; put it below [function."name"], or at the top of the file for all functions`, name)
		return
	}
	p.fail(line, "function.%q is %s; write settings below [function.%q]", name, typeName(value), name)
}

func (p *parser) entry(entry *Entry, name string, table map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if key != "force" {
			p.setting(&entry.Settings, table[key], "function", name, key)
			continue
		}
		force, err := readBool(table[key])
		if err != nil {
			p.fail(p.lines.at("function", name, key), "force = %s: %s", shown(table[key]), err)
		}
		entry.Force = force
	}
	p.contradictions(entry.Settings, "function", name)
	if entry.Prefix == "" && !entry.Force {
		for _, s := range settings {
			if s.isSet(entry.Settings) && s.isSet(p.file.Defaults) {
				p.fail(p.lines.at("function", name, s.key), "%s is set for all functions on line %d too; keep one of the two",
					s.key, p.lines.at(s.key))
			}
		}
	}
}

// setting reads one value; its key is the last of path.
func (p *parser) setting(into *Settings, value any, path ...string) {
	key, line := path[len(path)-1], p.lines.at(path...)
	s, known := settingOf(key)
	if known {
		if err := s.put(into, value); err != nil {
			p.fail(line, "%s = %s: %s", key, shown(value), err)
		}
		return
	}
	if _, isTable := value.(map[string]any); isTable && len(path) == 3 {
		p.fail(line, "%q is below %q; write the whole name in one pair of quotes: [function.%q]", key, path[1], path[1]+"/"+key)
		return
	}
	candidates := []string{"force", "function"}
	if key == "runs" {
		p.fail(line, "runs belongs to the whole program; put it at the top of the file")
		return
	}
	if len(path) == 1 {
		candidates = append(candidates, "runs")
	}
	for _, s := range settings {
		candidates = append(candidates, s.key)
	}
	slices.Sort(candidates)
	if meant := words.Nearest(key, candidates); meant != "" {
		p.fail(line, "unknown setting %q; did you mean %s?", key, meant)
		return
	}
	p.fail(line, "unknown setting %q; there are %s", key, strings.Join(candidates, ", "))
}

func (p *parser) contradictions(s Settings, table ...string) {
	at := func(key string) int { return p.lines.at(append(slices.Clone(table), key)...) }
	for _, c := range contradictions {
		if c.in(s) {
			p.fail(max(at(c.first), at(c.second)), "%s (line %d) and %s (line %d) contradict each other: %s; remove one of them",
				c.first, at(c.first), c.second, at(c.second), c.why)
		}
	}
}

// normalPrefix is a prefix without the slash at its end.
func normalPrefix(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	prefix := strings.TrimSuffix(name, "/")
	if below, ok := strings.CutSuffix(prefix, "*"); ok {
		return "", fmt.Errorf("there are no patterns; %q covers all functions below it", strings.TrimRight(below, "/"))
	}
	if err := memokey.ValidName(prefix); err != nil {
		return "", fmt.Errorf("this is no function's name: %w", nameFault(err))
	}
	return prefix, nil
}

// shown is a value as somebody would write it, cut where it is long.
func shown(value any) string {
	switch value := value.(type) {
	case string:
		return fmt.Sprintf("%q", cut(Public(value), 100))
	case bool, int64, float64:
		return fmt.Sprint(value)
	default:
		return "…"
	}
}

// cut is text, or its beginning where it has more than so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
