package code

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// LockFile is the file of a package that has its lock. It is no part of the
// package's code: what it says, and whether it compiles, changes nothing there.
const LockFile = "mops_lock.go"

// Lock states the fingerprints of the functions that a package defines. It is
// the text in the package's mops_lock.go.
//
// The text is made to be merged: each function has lines of its own, which
// change only when its code does.
type Lock struct {
	Functions []Locked // by name
}

// Locked is what a lock says of a function.
type Locked struct {
	Name     string // in mops
	Version  string
	Platform string // such as linux/amd64, for which the code was read
	Same     []Same // the oldest first
	Fingerprint
}

// Same is an earlier fingerprint of a function at the same version, which a
// person declared to give the same results.
type Same struct {
	Hash   string
	Date   string // such as 2026-11-29
	Reason string
}

// Accepts says whether results of code with that fingerprint are as good as
// those of the locked code.
func (l *Locked) Accepts(hash string) bool {
	return hash == l.Hash || Accepts(l.Same, hash)
}

// Accepts says whether a hash is among those that were declared equal.
func Accepts(same []Same, hash string) bool {
	return slices.ContainsFunc(same, func(s Same) bool { return s.Hash == hash })
}

// lockFormat is the first line of a lock. A later format has another number.
const lockFormat = "mops lock 1"

// String is the text of a lock. It has no back quotes.
func (l Lock) String() string {
	var b strings.Builder
	b.WriteString(lockFormat + "\n")
	for _, f := range l.Functions {
		b.WriteByte('\n')
		say(&b, "function", f.Name)
		say(&b, "version", f.Version)
		say(&b, "platform", f.Platform)
		say(&b, "go", f.Go)
		say(&b, "package", f.Package)
		say(&b, "code", f.Hash)
		if f.Varies {
			say(&b, "varies")
		}
		for _, s := range f.Same {
			say(&b, "same", s.Hash, s.Date, s.Reason)
		}
		for _, d := range f.Decls {
			say(&b, "uses", string(d.Kind), d.Name, d.Hash, d.where())
		}
	}
	return b.String()
}

// say writes a line: a word, and what it says of the function.
func say(b *strings.Builder, word string, what ...string) {
	b.WriteString(word)
	for _, w := range what {
		b.WriteByte(' ')
		b.WriteString(quote(w))
	}
	b.WriteByte('\n')
}

// where is a place or a version: one or the other is known of a declaration.
func (d Decl) where() string {
	switch {
	case d.Version != "":
		return d.Version
	case d.Line > 0:
		return d.File + ":" + strconv.Itoa(d.Line)
	}
	return d.File
}

// quote writes a word, or a text in quotation marks if it is more than a word.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '`' || r == '\\' }) {
		return s
	}
	return strings.ReplaceAll(strconv.QuoteToASCII(s), "`", `\x60`)
}

// ErrNewer says that a lock was written by a newer release of mops.
var ErrNewer = errors.New("a newer release of mops wrote this lock: use that release")

// Unreadable is an error of ParseLock, or of who sought the lock's text, with the file
// and with what to do.
func Unreadable(file string, err error) error {
	if errors.Is(err, ErrNewer) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return fmt.Errorf("%s: %w: run mops-lock to write it anew", file, err)
}

// ParseLock reads the text of a lock.
func ParseLock(text string) (Lock, error) {
	var l Lock
	var f *Locked
	for i, line := range strings.Split(text, "\n") {
		if err := l.line(i, strings.TrimRight(line, "\r"), &f); err != nil {
			return Lock{}, fmt.Errorf("line %d of the lock: %w", i+1, err)
		}
	}
	known := map[string]bool{}
	for _, f := range l.Functions {
		switch {
		case f.Version == "" || f.Hash == "":
			return Lock{}, fmt.Errorf("the lock says no version or no code of function %s", f.Name)
		case known[f.Name]:
			return Lock{}, fmt.Errorf("the lock has function %s twice", f.Name)
		}
		known[f.Name] = true
	}
	return l, nil
}

func (l *Lock) line(i int, line string, f **Locked) error {
	if i == 0 {
		switch {
		case line == lockFormat:
			return nil
		case strings.HasPrefix(line, "mops lock "):
			return ErrNewer
		}
		return fmt.Errorf("%.40q is not how a lock begins", line)
	}
	if line == "" {
		return nil
	}
	words, err := unquote(line)
	if err != nil {
		return err
	}
	if words[0] == "function" && len(words) == 2 {
		l.Functions = append(l.Functions, Locked{Name: words[1]})
		*f = &l.Functions[len(l.Functions)-1]
		return nil
	}
	if *f == nil {
		return fmt.Errorf("%q stands before the first function", words[0])
	}
	return (*f).set(words)
}

func (f *Locked) set(words []string) error {
	one := map[string]*string{"version": &f.Version, "platform": &f.Platform, "go": &f.Go, "package": &f.Package, "code": &f.Hash}[words[0]]
	switch {
	case one != nil && len(words) == 2:
		*one = words[1]
	case words[0] == "varies" && len(words) == 1:
		f.Varies = true
	case words[0] == "same" && len(words) == 4:
		f.Same = append(f.Same, Same{Hash: words[1], Date: words[2], Reason: words[3]})
	case words[0] == "uses" && len(words) == 5:
		d := Decl{Kind: Kind(words[1]), Name: words[2], Hash: words[3]}
		d.at(words[4])
		f.Decls = append(f.Decls, d)
	default:
		return fmt.Errorf("%q with %d words is nothing that a lock says", words[0], len(words))
	}
	return nil
}

// at is the inverse of where.
func (d *Decl) at(where string) {
	if d.Kind == Module || d.Kind == Go {
		d.Version = where
		return
	}
	d.File = where
	if i := strings.LastIndexByte(where, ':'); i >= 0 {
		if line, err := strconv.Atoi(where[i+1:]); err == nil {
			d.File, d.Line = where[:i], line
		}
	}
}

// unquote takes a line apart into what quote wrote.
func unquote(line string) (words []string, err error) {
	for line != "" {
		word, rest, _ := strings.Cut(line, " ")
		if strings.HasPrefix(line, `"`) {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("%.40q has a quotation mark that does not end", line)
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
			rest = strings.TrimPrefix(line[len(quoted):], " ")
		}
		words, line = append(words, word), rest
	}
	return words, nil
}
