package config

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Defaults are the settings where nothing sets them.
var Defaults = Settings{
	Root: new(DefaultRoot), Pipeline: new(DefaultPipeline), Executor: new("inproc"),
	Off: new(false), Refresh: new(false), ReadOnly: new(false), RequireResults: new(false), KeepErrors: new(false),
	CodeCheck: new(code.Warn), Timeout: new(time.Duration(0)), StorageTTL: new(time.Duration(0)),
	Retries: new(0), RetryDelay: new(time.Duration(DefaultRetryDelay)),
}

// Some defaults by name.
const (
	DefaultRoot       = "file://~/.mops"
	DefaultPipeline   = "default"
	DefaultRetryDelay = 100 * time.Millisecond
	DefaultCacheSize  = 20 << 30 // bytes
	DefaultReadCache  = 1 << 30  // bytes
)

// Origin is what a setting is, and what set it, in words. The value never shows a
// secret.
type Origin struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	From    string `json:"from"`
}

// Level is one of the places that set things.
type Level struct {
	Settings
	From func(key string) string // in words
}

// Place is a level with a name that says it all.
func Place(name string, s Settings) Level {
	return Level{s, func(string) string { return name }}
}

// Variables is the level of variables.
func Variables(s Settings) Level {
	return Level{s, func(key string) string { return setting{key: key}.variable() }}
}

// Levels are what the file says for a function, the most important first: forced is
// above options in the code, plain below them. With "" they hold for all functions.
func (f *File) Levels(function string) (forced, plain []Level) {
	for _, entry := range slices.Backward(f.Entries) {
		if !covers(entry.Prefix, function) {
			continue
		}
		level := Level{entry.Settings, func(key string) string {
			from := fmt.Sprintf("%s [function.%q]", f.at("function", entry.Prefix, key), entry.Prefix)
			if entry.Force {
				from += ", force"
			}
			return from
		}}
		if entry.Force {
			forced = append(forced, level)
		} else {
			plain = append(plain, level)
		}
	}
	return forced, append(plain, Level{f.Defaults, func(key string) string { return f.at(key) }})
}

// at is where the file, which is named elsewhere, names a key.
func (f *File) at(path ...string) string {
	return fmt.Sprintf("%s:%d", filepath.Base(f.Path), f.lines.at(path...))
}

// Origins says of each setting what it is: what the first of the levels says.
func Origins(levels []Level) []Origin {
	var all []Origin
	levels = append(slices.Clip(levels), Place("default", Defaults))
	for _, s := range settings {
		i := slices.IndexFunc(levels, func(l Level) bool { return s.isSet(l.Settings) })
		all = append(all, Origin{s.key, Public(s.show(levels[i].Settings)), levels[i].From(s.key)})
	}
	return all
}

// ExecutorOrigin is what a file or a variable says to executors of a name.
type ExecutorOrigin struct {
	Executor string `json:"executor"`
	Origin
}

// executorVariables are those that executors read by themselves.
var executorVariables = map[string][]string{"k8s": {"image", "logs", "user"}}

// ExecutorOrigins says what file and variables say to executors. lookup is
// [os.LookupEnv] or the like.
func (f *File) ExecutorOrigins(lookup func(string) (string, bool)) (all []ExecutorOrigin) {
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		keys := slices.AppendSeq(slices.Clone(executorVariables[name]), maps.Keys(tables[name]))
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			variable := ""
			if tables[name][key].fromText != nil || slices.Contains(executorVariables[name], key) {
				variable, _ = lookup(entryVariable(name, key))
			}
			values, inFile := f.Executors[name][key]
			o := Origin{Setting: key}
			switch {
			case variable != "":
				o.Value, o.From = Public(variable), entryVariable(name, key)
			case inFile:
				var shown []string // each by itself, since a secret ends with the value
				for _, value := range values {
					shown = append(shown, Public(value))
				}
				o.Value, o.From = strings.Join(shown, ", "), f.at(name, key)
				if o.Value == forever {
					o.Value = "forever"
				}
			default:
				continue
			}
			all = append(all, ExecutorOrigin{name, o})
		}
	}
	return all
}

// ProgramOrigins says what the settings of a program are that are of no function, by
// their variables. code has those that options set, which win. lookup is
// [os.LookupEnv] or the like.
func ProgramOrigins(lookup func(string) (string, bool), code map[string]string) (all []Origin) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = "none"
	} else {
		cache = filepath.Join(cache, "mops")
	}
	for _, s := range [][2]string{
		{cacheVariable, cache}, {CacheSizeVariable, Size(DefaultCacheSize)}, {ReadCacheVariable, Size(DefaultReadCache)}, {"MOPS_EDITED", "warn"},
		{PlanVariable, "false"}, {"MOPS_PROGRESS", "auto"}, {keepRunsVariable, "true"}, {runFieldsVariable, "none"},
	} {
		o := Origin{s[0], s[1], "default"}
		if text, _ := lookup(s[0]); text != "" {
			o.Value, o.From = text, s[0]
		}
		if said := code[s[0]]; said != "" {
			o.Value, o.From = said, "mops.Main or mops.New"
		}
		o.Setting, o.Value = strings.ToLower(strings.TrimPrefix(s[0], "MOPS_")), Public(o.Value)
		all = append(all, o)
	}
	return all
}

var userInfo = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`//[^/]*@`) })

// Public is a text without what may be secret in URIs: user, password and query.
func Public(text string) string {
	if strings.Contains(text, "@") {
		text = userInfo().ReplaceAllString(text, "//…@")
	}
	if bare, _, more := strings.Cut(text, "?"); more {
		text = bare + "?…"
	}
	return text
}

// shownDuration is a duration as people write it: 2h rather than 2h0m0s.
func shownDuration(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return cmp.Or(text, "0s")
}
