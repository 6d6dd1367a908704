package summary

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
)

const (
	keep      = 200                    // summaries in a state folder
	stamp     = "20060102T150405.000Z" // of the start, so that names sort by time
	temporary = "tmp-"                 // begins the name of a file that is being written
	abandoned = time.Hour              // after which such a file has no writer
	maxFile   = 16 << 20               // bytes; far above any summary
)

// ErrNone says that there is no summary.
var ErrNone = errors.New("no program has left a summary yet")

// Entry is a summary that is kept.
type Entry struct {
	Path    string
	Program string // base name, with what is not a letter, digit, '.' or '_' made '_'
	PID     int
	Start   time.Time
}

// Dir is the user's state folder for mops: MOPS_STATE, else mops in
// XDG_STATE_HOME, else ~/.local/state/mops (XDG Base Directory Specification
// 0.8), ~/Library/Application Support/mops on macOS, mops in LocalAppData on
// Windows. It is never in the current folder. lookup is [os.LookupEnv] or the like.
func Dir(lookup func(string) (string, bool)) (string, error) {
	if dir, _ := lookup("MOPS_STATE"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("MOPS_STATE=%q is not an absolute path; write one that is", dir)
		}
		return filepath.Clean(dir), nil
	}
	// The specification has relative paths ignored.
	if dir, _ := lookup("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mops"), nil
	}
	if dir, _ := lookup("LocalAppData"); runtime.GOOS == "windows" && filepath.IsAbs(dir) {
		return filepath.Join(dir, "mops"), nil
	}
	home, _ := lookup("HOME")
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("no home folder is known for the state of mops; set HOME or MOPS_STATE")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "mops"), nil
	}
	return filepath.Join(home, ".local", "state", "mops"), nil
}

// Write keeps a summary in a state folder, which it makes if need be, and
// removes all but the newest 200. The file is there whole or not at all.
func Write(dir string, s Summary) error {
	s.Format = Format
	if s.End.IsZero() {
		s.End = time.Now()
	}
	s.Root = withoutSecrets(s.Root)
	s.Start, s.End = s.Start.UTC(), s.End.UTC()
	dir = filepath.Join(dir, "runs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the summary of this run: %w", err)
	}
	name := fmt.Sprintf("%s-%s-%d.json", s.Start.Format(stamp), s.name(), s.PID)
	if err := writeFile(dir, name, s); err != nil {
		return fmt.Errorf("keep the summary of this run: %w", err)
	}
	return prune(dir)
}

func writeFile(dir, name string, s Summary) error {
	file, err := os.CreateTemp(dir, temporary) // readable by this user only
	if err != nil {
		return err
	}
	err = Encode(file, s)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// prune removes what is too old. Others may do so at the same time.
func prune(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var names []string
	for _, file := range files {
		if _, ok := entryOf(dir, file.Name()); ok {
			names = append(names, file.Name())
		} else if strings.HasPrefix(file.Name(), temporary) {
			if info, err := file.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
				os.Remove(filepath.Join(dir, file.Name()))
			}
		}
	}
	slices.Sort(names)
	for len(names) > keep {
		if err := os.Remove(filepath.Join(dir, names[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		names = names[1:]
	}
	return nil
}

// List finds the summaries in a state folder that may be of a program, newest first. A
// program is named by its path or its base name; "" is any. A folder that is not there
// has none.
func List(dir, program string) ([]Entry, error) {
	dir = filepath.Join(dir, "runs")
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the summaries: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		entry, ok := entryOf(dir, file.Name())
		if ok && (program == "" || entry.Program == fileName(filepath.Base(program))) {
			entries = append(entries, entry)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.Start.Compare(a.Start), strings.Compare(b.Path, a.Path))
	})
	return entries, nil
}

// Latest is the summary of the newest run of a program, named as for List. Where
// there is none, the error is [ErrNone].
func Latest(dir, program string) (s Summary, path string, err error) {
	entries, err := List(dir, program)
	if err != nil {
		return Summary{}, "", err
	}
	for _, entry := range entries {
		s, err := Read(entry.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile, as too old
		case err != nil:
			return Summary{}, entry.Path, err
		case filepath.IsAbs(program) && s.Program != filepath.Clean(program): // another of the same name
		default:
			return s, entry.Path, nil
		}
	}
	if program != "" {
		return Summary{}, "", fmt.Errorf("%w: none of %s in %s", ErrNone, program, filepath.Join(dir, "runs"))
	}
	return Summary{}, "", fmt.Errorf("%w in %s", ErrNone, filepath.Join(dir, "runs"))
}

// Read reads one summary.
func Read(path string) (Summary, error) {
	file, err := openfile.Regular(path)
	if err != nil {
		return Summary{}, fmt.Errorf("read a summary: %w", err)
	}
	defer file.Close()
	s, err := Decode(io.LimitReader(file, maxFile))
	if err != nil {
		return Summary{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Encode writes a summary as it is stored: JSON, indented.
func Encode(w io.Writer, s Summary) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// Decode reads what Encode wrote.
func Decode(r io.Reader) (Summary, error) {
	var s Summary
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return Summary{}, fmt.Errorf("this is no summary of mops: %w; delete the file", err)
	}
	if s.Format != Format {
		return Summary{}, fmt.Errorf("this summary has format %d, and this program reads format %d; use the version of mops that wrote it", s.Format, Format)
	}
	return s, nil
}

// entryOf understands the name of a file.
func entryOf(dir, name string) (Entry, bool) {
	parts := strings.Split(strings.TrimSuffix(name, ".json"), "-")
	if len(parts) != 3 || !strings.HasSuffix(name, ".json") {
		return Entry{}, false
	}
	start, err := time.Parse(stamp, parts[0])
	pid, pidErr := strconv.Atoi(parts[2])
	if err != nil || pidErr != nil {
		return Entry{}, false
	}
	return Entry{Path: filepath.Join(dir, name), Program: parts[1], PID: pid, Start: start}, true
}

// fileName is a program's name without what has a meaning in the name of a
// file, or in those of ours.
func fileName(program string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '_':
			return r
		}
		return '_'
	}, program)
	return name[:min(len(name), 64)]
}
