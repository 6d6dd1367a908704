package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile"
	"github.com/TrilliantHealth/mops-go/internal/records/programs"
)

// maxFile is far above any sensible config file, in bytes.
const maxFile = 1 << 20

// File is a config file.
type File struct {
	Path     string   // as it was given
	Text     []byte   // what it says, word for word, if it was loaded
	Defaults Settings // of the top level
	Entries  []Entry  // sorted by prefix

	KeepRuns  *bool           // whether runs of programs are kept; nil: it does not say
	Executors Executors       // what it says of executors
	Prices    programs.Prices // what their resources cost, for the tool

	lines lines // of its keys
}

// Entry is what a file says for the functions below a name prefix.
type Entry struct {
	Prefix string // whole segments of a function's name, without a slash at the end; "" means all
	Force  bool   // it wins over options in the code
	Settings
	Line int // where it begins, from 1
}

// Load reads a config file.
func Load(path string) (*File, error) {
	var data []byte
	if path != os.DevNull { // which is as good as an empty file
		var err error
		if data, err = openfile.ReadAll(path, maxFile); err != nil {
			return nil, unreadable(path, err)
		}
	}
	parsed, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	parsed.Text = data
	return parsed, nil
}

func unreadable(path string, err error) error {
	if full, err := filepath.Abs(path); err == nil {
		path = full
	}
	var mend string
	switch {
	case errors.Is(err, fs.ErrNotExist):
		mend = "correct the path (option Config or MOPS_CONFIG), or leave it out"
	case errors.Is(err, fs.ErrPermission):
		mend = "make the file readable for this user"
	default:
		mend = "the config file must be a file that can be read, and read again by workers"
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // whose path is said already
	}
	return fmt.Errorf("cannot read the config file %s: %w; %s", path, err, mend)
}

// For is what the file says for a function: plain is below options in the code,
// forced above them. For each setting the entry with the longest prefix wins,
// and the top level is below all entries.
func (f *File) For(function string) (plain, forced Settings) {
	if f == nil {
		return Settings{}, Settings{}
	}
	plain = f.Defaults
	// A prefix is shorter than all that it is a prefix of, and sorts before
	// them: later entries that cover the function are longer.
	for _, entry := range f.Entries {
		switch {
		case !covers(entry.Prefix, function):
		case entry.Force:
			forced = forced.Overlay(entry.Settings)
		default:
			plain = plain.Overlay(entry.Settings)
		}
	}
	return plain, forced
}

// covers reports whether prefix is function or some of its first segments.
func covers(prefix, function string) bool {
	rest, ok := strings.CutPrefix(function, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '/')
}
