package snapshot

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// Inputs are what fingerprints are made of. Paths are absolute.
type Inputs struct {
	Files   []string // whose content counts; whether they are there does, too
	Folders []string // of packages: the names and the content of their sources count
	Embeds  []Embed
	Lock    string // the package's
}

// Embed is a pattern of a go:embed directive: which files it means, and their
// content.
type Embed struct {
	Dir     string `json:"dir"`
	Pattern string `json:"pattern"`
}

// State is how inputs were.
type State struct {
	Settings map[string]string `json:"settings"` // variables that the go command heeds
	Files    []file            `json:"files"`
	Lists    []list            `json:"lists"`
	Lock     string            `json:"lock"` // its path
	LockSum  string            `json:"lock_sum"`
}

// file is a file as it was. Its times tell whether it must be read again.
type file struct {
	Path  string `json:"path"`
	Stamp stamp  `json:"stamp"`
	Sum   string `json:"sum"` // "" if it was not there
}

// stamp tells one state of a file from most others.
type stamp struct {
	Size    int64  `json:"size"`
	Written int64  `json:"written"` // in nanoseconds
	Changed int64  `json:"changed"` // a time that nobody can set, where there is one
	Node    uint64 `json:"node"`
}

// list is which files there were.
type list struct {
	Embed          // without a pattern: the sources of a package
	Names []string `json:"names"`
}

// ErrChanging says that somebody edits files at this moment.
var ErrChanging = errors.New("a file was written while it was looked at")

// most is how many files a pattern may embed in a package with a snapshot.
const most = 20_000

// Reader takes the state of inputs.
type Reader struct {
	since time.Time
	known map[string]file
}

// NewReader reads files that nobody has written since a time, at which somebody
// else began to read them.
func NewReader(since time.Time) *Reader { return &Reader{since, map[string]file{}} }

// Read fails with [ErrChanging] if an input was written since.
func (r *Reader) Read(in Inputs) (s State, err error) {
	s.Settings, s.Lock = settings(), in.Lock
	paths := slices.Concat(in.Files, settingsFile())
	for _, folder := range in.Folders {
		in.Embeds = append(in.Embeds, Embed{Dir: folder})
	}
	for _, e := range in.Embeds {
		names, err := e.names()
		if err != nil {
			return State{}, err
		}
		s.Lists = append(s.Lists, list{e, names})
		for _, name := range names {
			paths = append(paths, filepath.Join(e.Dir, filepath.FromSlash(name)))
		}
	}
	slices.Sort(paths)
	for _, each := range slices.Compact(paths) {
		f, err := r.file(each)
		if err != nil {
			return State{}, err
		}
		s.Files = append(s.Files, f)
	}
	s.LockSum, err = contentOf(s.Lock)
	return s, err
}

func (r *Reader) file(path string) (file, error) {
	if f, known := r.known[path]; known {
		return f, nil
	}
	f := file{Path: path}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.known[path] = f
		return f, nil
	case err != nil:
		return f, err
	}
	// Whatever is written from now on must differ in its times, or nobody would
	// see it.
	f.Stamp = stampOf(info)
	last := time.Unix(0, max(f.Stamp.Written, f.Stamp.Changed))
	if !last.Before(r.since.Add(-granularity(last))) {
		return f, ErrChanging
	}
	if f.Sum, err = contentOf(path); err != nil {
		return f, err
	}
	r.known[path] = f
	return f, nil
}

// granularity is how far a time of a file may lie before what it tells. Linux
// dates writes with the last tick of a clock; some file systems know seconds, or
// every other one.
func granularity(of time.Time) time.Duration {
	if of.Nanosecond() == 0 {
		return 2 * time.Second
	}
	return 20 * time.Millisecond
}

// contentOf is the hash of a file's content, or "" if there is no file.
func contentOf(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return sumOf(content), nil
}

func (s *State) fresh() bool {
	now := settings()
	if len(now) != len(s.Settings) {
		return false
	}
	for key, value := range now {
		if s.Settings[key] != value {
			return false
		}
	}
	for _, l := range s.Lists {
		if names, err := l.names(); err != nil || !slices.Equal(names, l.Names) {
			return false
		}
	}
	for _, f := range s.Files {
		if !f.fresh() {
			return false
		}
	}
	sum, err := contentOf(s.Lock)
	return err == nil && sum == s.LockSum
}

// Written is when the latest of the files was written that are there now.
func (s *State) Written() (file string, at time.Time) {
	for _, f := range s.Files {
		if info, err := os.Stat(f.Path); err == nil && info.ModTime().After(at) {
			file, at = f.Path, info.ModTime()
		}
	}
	return file, at
}

// Sum is a hash over the content that the files have now. It changes with every
// edit, also with one that computes the same.
func (s *State) Sum() string {
	h := sha256.New()
	for _, l := range s.Lists {
		names, _ := l.names()
		fmt.Fprintln(h, len(names))
		for _, name := range names {
			sum, err := contentOf(filepath.Join(l.Dir, filepath.FromSlash(name)))
			fmt.Fprintln(h, name, sum, err != nil)
		}
	}
	for _, f := range s.Files {
		sum, err := contentOf(f.Path)
		fmt.Fprintln(h, sum, err != nil)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Relock notes that the lock is another now.
func (s *State) Relock() (err error) {
	s.LockSum, err = contentOf(s.Lock)
	return err
}

func (f *file) fresh() bool {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.Sum == ""
	case err != nil || f.Sum == "" || info.Size() != f.Stamp.Size:
		return false
	case stampOf(info) == f.Stamp:
		return true
	}
	sum, err := contentOf(f.Path)
	return err == nil && sum == f.Sum
}

// names are the files that a pattern means, or the sources in a folder.
func (e Embed) names() (all []string, err error) {
	if e.Pattern == "" {
		entries, err := os.ReadDir(e.Dir)
		for _, each := range entries {
			if name := each.Name(); isSource(name) && !each.IsDir() {
				all = append(all, name)
			}
		}
		return all, err
	}
	pattern, hidden := strings.CutPrefix(e.Pattern, "all:")
	tree := os.DirFS(e.Dir)
	matches, err := fs.Glob(tree, pattern)
	if err != nil {
		return nil, err
	}
	for _, match := range matches {
		err := fs.WalkDir(tree, match, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case name != match && !hidden && strings.ContainsRune("._", rune(path.Base(name)[0])):
				if entry.IsDir() {
					return fs.SkipDir
				}
			case !entry.IsDir():
				all = append(all, name)
			}
			if len(all) > most {
				return errors.New("more files are embedded than a snapshot can have")
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// isSource says that the go command may build a file of a package.
func isSource(name string) bool {
	if name == code.LockFile || strings.HasSuffix(name, "_test.go") || strings.ContainsRune("._", rune(name[0])) {
		return false
	}
	switch path.Ext(name) {
	case ".go", ".s", ".S", ".sx", ".c", ".cc", ".cpp", ".cxx", ".m", ".h", ".hh", ".hpp", ".hxx", ".f", ".F", ".for", ".f90", ".swig", ".swigcxx", ".syso":
		return true
	}
	return false
}

// heeded are the variables by which the go command chooses other files.
var heeded = []string{"GOFLAGS", "GO111MODULE", "GOEXPERIMENT", "GOWORK"}

// settings are the variables that the go command heeds, wherever it has them from.
func settings() map[string]string {
	all := map[string]string{}
	for _, path := range settingsFile() {
		if file, err := os.Open(path); err == nil {
			for lines := bufio.NewScanner(file); lines.Scan(); {
				if key, value, ok := strings.Cut(lines.Text(), "="); ok && slices.Contains(heeded, key) {
					all[key] = value
				}
			}
			file.Close()
		}
	}
	for _, key := range heeded {
		if value := os.Getenv(key); value != "" {
			all[key] = value
		}
	}
	return all
}

// settingsFile is where go env -w writes.
func settingsFile() []string {
	switch path := os.Getenv("GOENV"); path {
	case "off":
		return nil
	case "":
		if folder, err := os.UserConfigDir(); err == nil {
			return []string{filepath.Join(folder, "go", "env")}
		}
		return nil
	default:
		return []string{path}
	}
}
