package lockfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

// onDisk is the lock of a package as it lies in its folder.
type onDisk struct {
	path     string
	text     string // of the file, without carriage returns
	there    bool
	entries  []*code.Locked // several of one name if a merge left both sides
	conflict bool           // a merge left its marks
	foreign  bool           // mops-lock did not write the file
	newer    bool           // a newer release did
	err      error          // why it cannot be read as a whole
}

// readLock reads the lock of the package in a folder. What can be read of a
// damaged one counts.
func readLock(dir string) (onDisk, error) {
	l := onDisk{path: filepath.Join(dir, code.LockFile)}
	content, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	l.there, l.text = true, strings.ReplaceAll(string(content), "\r", "")
	sides, err := sidesOf(l.text)
	if err != nil {
		l.err = err
	}
	l.conflict = len(sides) > 1
	l.foreign = !strings.Contains(l.text, header) && !strings.Contains(l.text, begin)
	for _, side := range sides {
		if err := l.read(side); err != nil && l.err == nil {
			l.err = err
		}
	}
	return l, nil
}

// begin stands before the text of a lock, in the file that has it. The text has
// no back quotes.
const begin = ".Locked(`"

// read adds what one side of a file says.
func (l *onDisk) read(side string) error {
	_, text, found := strings.Cut(side, begin)
	text, _, ends := strings.Cut(text, "`")
	if !found || !ends {
		return errors.New("it is not as mops-lock writes it")
	}
	lock, err := code.ParseLock(text)
	if errors.Is(err, code.ErrNewer) {
		l.newer = true
		return err
	}
	if err != nil {
		lock = salvage(text)
	}
	for _, entry := range lock.Functions {
		l.add(&entry)
	}
	return err
}

func (l *onDisk) add(entry *code.Locked) {
	for _, other := range l.entries {
		if other.Name == entry.Name && equal(other, entry) {
			return
		}
	}
	l.entries = append(l.entries, entry)
}

// equal says that two entries lock the same.
func equal(a, b *code.Locked) bool {
	return code.Lock{Functions: []code.Locked{*a}}.String() == code.Lock{Functions: []code.Locked{*b}}.String()
}

// salvage reads the functions of a lock one by one, and leaves out those that
// cannot be read.
func salvage(text string) (lock code.Lock) {
	first, rest, _ := strings.Cut(text, "\n")
	for _, block := range strings.Split("\n"+rest, "\nfunction ")[1:] {
		if one, err := code.ParseLock(first + "\nfunction " + block); err == nil {
			lock.Functions = append(lock.Functions, one.Functions...)
		}
	}
	return lock
}

// sidesOf are the texts that a merge did not bring together: one, if there are no
// marks of a conflict. What stands between ||||||| and ======= was there before
// both.
func sidesOf(text string) ([]string, error) {
	var ours, theirs strings.Builder
	const outside, inOurs, inBase, inTheirs = 0, 1, 2, 3
	at, marked := outside, false
	for line := range strings.Lines(text) {
		mark, _, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		switch {
		case mark == "<<<<<<<" && at == outside:
			at, marked = inOurs, true
		case mark == "|||||||" && at == inOurs:
			at = inBase
		case mark == "=======" && (at == inOurs || at == inBase):
			at = inTheirs
		case mark == ">>>>>>>" && at == inTheirs:
			at = outside
		default:
			if at == outside || at == inOurs {
				ours.WriteString(line)
			}
			if at == outside || at == inTheirs {
				theirs.WriteString(line)
			}
		}
	}
	switch {
	case at != outside:
		return []string{ours.String(), theirs.String()}, errors.New("a mark of a merge conflict has no end")
	case marked:
		return []string{ours.String(), theirs.String()}, nil
	}
	return []string{text}, nil
}
