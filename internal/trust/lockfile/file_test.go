package lockfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/trust/code"
)

func TestSides(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		bad  bool
	}{
		"none":           {"a\nb\n", []string{"a\nb\n"}, false},
		"two":            {"a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\nd\n", []string{"a\nb\nd\n", "a\nc\nd\n"}, false},
		"with the base":  {"<<<<<<< HEAD\nb\n||||||| 123\nx\n=======\nc\n>>>>>>> other\n", []string{"b\n", "c\n"}, false},
		"one is empty":   {"<<<<<<< HEAD\n=======\nc\n>>>>>>> other\n", []string{"", "c\n"}, false},
		"several":        {"<<<<<<<\n1\n=======\n2\n>>>>>>>\nx\n<<<<<<< A\n3\n=======\n4\n>>>>>>> B\n", []string{"1\nx\n3\n", "2\nx\n4\n"}, false},
		"without an end": {"<<<<<<< HEAD\nb\n=======\nc\n", []string{"b\n", "c\n"}, true},
		"only a line":    {"=======\n>>>>>>> other\n", []string{"=======\n>>>>>>> other\n"}, false},
	} {
		got, err := sidesOf(c.text)
		if !slices.Equal(got, c.want) || (err != nil) != c.bad {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// The rules, one function at a time.
func TestDecide(t *testing.T) {
	lock := func(version, hash string, same ...string) *code.Locked {
		l := &code.Locked{Name: "f", Version: version, Fingerprint: code.Fingerprint{Hash: hash}}
		for _, s := range same {
			l.Same = append(l.Same, code.Same{Hash: s, Date: "2026-11-29", Reason: "why"})
		}
		return l
	}
	for name, c := range map[string]struct {
		hash  string // of version 2
		prior []*code.Locked
		want  kind
		same  string // what the entry accepts then
	}{
		"new":                         {"a", nil, unlocked, ""},
		"as locked":                   {"a", []*code.Locked{lock("2", "a", "z")}, agreed, "z"},
		"as before":                   {"z", []*code.Locked{lock("2", "a", "z")}, agreed, "z"},
		"changed":                     {"b", []*code.Locked{lock("2", "a", "z")}, changed, ""},
		"another version":             {"b", []*code.Locked{lock("1", "a", "z")}, reversioned, ""},
		"another version, as it was":  {"a", []*code.Locked{lock("1", "a")}, reversioned, ""},
		"two, neither":                {"c", []*code.Locked{lock("2", "a"), lock("2", "b")}, changed, ""},
		"two, one of them":            {"a", []*code.Locked{lock("2", "a"), lock("2", "b")}, changed, ""},
		"two, one accepts the other":  {"a", []*code.Locked{lock("2", "a", "b"), lock("2", "b")}, merged, "b"},
		"two, the other accepts one":  {"a", []*code.Locked{lock("2", "a"), lock("2", "b", "a")}, merged, "b"},
		"two, by what both come from": {"a", []*code.Locked{lock("2", "a", "z"), lock("2", "b", "z")}, merged, "z b"},
		"three, in a row":             {"a", []*code.Locked{lock("2", "a", "x"), lock("2", "c", "y"), lock("2", "b", "x", "y")}, merged, "x y c b"},
		"two reasons for one":         {"a", []*code.Locked{lock("2", "a", "z"), lock("2", "a", "y")}, merged, "z y"},
		"two, of two versions":        {"a", []*code.Locked{lock("2", "a", "z"), lock("1", "b")}, merged, "z"},
		"two, one of this version":    {"c", []*code.Locked{lock("2", "a"), lock("1", "c")}, changed, ""},
		"two, none of this version":   {"a", []*code.Locked{lock("3", "a"), lock("1", "a")}, reversioned, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Function{Name: "f", Version: "2", Code: &code.Fingerprint{Hash: c.hash}}
			f.decide(c.prior, "linux/amd64")
			if f.kind != c.want {
				t.Fatalf("%d, not %d", f.kind, c.want)
			}
			var same []string
			for _, s := range f.entry.Same {
				same = append(same, s.Hash)
			}
			if got := strings.Join(same, " "); got != c.same {
				t.Errorf("it accepts %q, not %q", got, c.same)
			}
			if !f.entry.Accepts(c.hash) || f.entry.Version != "2" {
				t.Errorf("%+v", f.entry)
			}
		})
	}
}

// Whatever is in the file, reading it ends, and no function is there twice.
func FuzzReadLock(f *testing.F) {
	lock := code.Lock{Functions: []code.Locked{{Name: "f", Version: "1", Fingerprint: code.Fingerprint{Hash: "a"}}}}
	text := header + "\n\npackage p\n\nfunc init() {\n\tmops" + begin + lock.String() + "`)\n}\n"
	f.Add(text)
	f.Add(strings.Replace(text, "code a\n", "<<<<<<< HEAD\ncode a\n=======\ncode b\n>>>>>>> other\n", 1))
	f.Add(strings.Replace(text, "version", "function", 1))
	f.Fuzz(func(t *testing.T, text string) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, code.LockFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := readLock(folder)
		if err != nil || !l.there {
			t.Fatal(err)
		}
		for i, a := range l.entries {
			if a.Name == "" && a.Version == "" || slices.ContainsFunc(l.entries[:i], func(b *code.Locked) bool { return equal(a, b) }) {
				t.Errorf("%+v", l.entries)
			}
		}
	})
}
