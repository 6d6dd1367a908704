package code

import (
	"maps"
	"strings"
	"sync"
)

// Locks are the locks of a program: those of all packages in it. Its zero value
// has none. It is safe for concurrent use.
type Locks struct {
	mu     sync.Mutex
	unread []stated // reading them takes time that a program need not spend when it starts
	files  map[string]string
	known  map[string]*Own
	err    error
}

// Own is what a lock of this program says of a function.
type Own struct {
	Locked
	File string // mops_lock.go, as the compiler names it
}

type stated struct{ text, file string }

// State adds the lock of a package.
func (l *Locks) State(text, file string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unread = append(l.unread, stated{text, file})
	if _, rest, found := strings.Cut(text, "\npackage "); found { // of the first function, and of all others
		if l.files == nil {
			l.files = map[string]string{}
		}
		path, _, _ := strings.Cut(rest, "\n")
		l.files[file] = strings.TrimRight(path, "\r")
	}
}

// Files are the mops_lock.go files that were stated, as the compiler names them,
// with the paths of their packages.
func (l *Locks) Files() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.files)
}

// In are the functions that are locked in a package.
func (l *Locks) In(path string) (all []*Own) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readAll()
	for _, own := range l.known {
		if own != nil && own.Package == path {
			all = append(all, own)
		}
	}
	return all
}

// Of is what is locked of a function at a version; nil if nothing is. The error
// is that of a lock that cannot be read.
func (l *Locks) Of(name, version string) (*Own, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readAll()
	if own := l.known[name]; own != nil && own.Version == version {
		return own, l.err
	}
	return nil, l.err
}

func (l *Locks) readAll() {
	for _, each := range l.unread {
		l.read(each)
	}
	l.unread = nil
}

func (l *Locks) read(s stated) {
	lock, err := ParseLock(s.text)
	if err != nil {
		l.err = Unreadable(s.file, err)
		return
	}
	if l.known == nil {
		l.known = map[string]*Own{}
	}
	for _, f := range lock.Functions {
		own := &Own{Locked: f, File: s.file}
		if other, taken := l.known[f.Name]; taken && (other == nil || other.Hash != f.Hash || other.Version != f.Version) {
			own = nil // two packages define the name, in registries of their own: which is meant, a lock cannot tell
		}
		l.known[f.Name] = own
	}
}
