package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Tally is a list of what user functions did, in a file to which any number of
// processes append. What was noted stays noted, whoever is killed.
type Tally struct{ Dir string }

func (t Tally) path() string { return filepath.Join(t.Dir, "tally") }

// Note appends one line. It panics where that fails, since a count that is
// wrong proves nothing.
func (t Tally) Note(event, name string) {
	file, err := os.OpenFile(t.path(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s %s %d\n", event, name, os.Getpid())
	}
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		panic(err)
	}
}

// Entry is one line.
type Entry struct {
	Event, Name string
	PID         int
}

// Entries returns all lines in the order in which they were written.
func (t Tally) Entries() ([]Entry, error) {
	text, err := os.ReadFile(t.path())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for line := range strings.Lines(string(text)) {
		var e Entry
		if _, err := fmt.Sscan(line, &e.Event, &e.Name, &e.PID); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", t.path(), line, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Count returns how often an event was noted, by name.
func (t Tally) Count(event string) (map[string]int, error) {
	entries, err := t.Entries()
	counts := map[string]int{}
	for _, e := range entries {
		if e.Event == event {
			counts[e.Name]++
		}
	}
	return counts, err
}
