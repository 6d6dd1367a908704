//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files of others steer nobody; where everybody may put files, they do not even stop
// a program.
func TestAFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("left out: only root can give files away")
	}
	const stranger = 4711
	top := t.TempDir()
	folder := filepath.Join(top, "shared")
	path := filepath.Join(folder, FileName)
	write(t, path)
	give := func(path string, to int) {
		t.Helper()
		if err := os.Lchown(path, to, -1); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, from string) {
		t.Helper()
		_, err := findUpwards(from, "")
		if err == nil || !strings.Contains(err.Error(), "MOPS_CONFIG="+path) || !strings.Contains(err.Error(), "id 4711") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if found, err := findUpwards(folder, ""); err != nil || found.Path != path {
		t.Errorf("one's own: %+v, %v", found, err)
	}
	give(path, stranger)
	refused("here", folder)
	below := filepath.Join(folder, "a", "b")
	if err := os.MkdirAll(below, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("above", below)
	if err := os.Chmod(folder, 0o1777); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{folder, below} {
		found, err := findUpwards(from, "")
		if err != nil || found.Path != "" || len(found.Warnings()) != 1 || !strings.Contains(found.Warnings()[0], path) {
			t.Errorf("among everybody's: %+v, %v", found, err)
		}
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(top, "mine.toml")
	write(t, mine)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mine, path); err != nil {
		t.Fatal(err)
	}
	give(path, stranger)
	refused("a stranger's link to a file of one's own", folder)
	give(path, 0)
	give(mine, stranger)
	refused("a link of one's own to a stranger's file", folder)
	if found, err := Find(path, nil); err != nil || found.Path != path {
		t.Errorf("a named file: %+v, %v", found, err)
	}
}

func TestWhoIsTrusted(t *testing.T) {
	for _, test := range []struct {
		owner uint32
		user  int
		sudo  string
		want  bool
	}{
		{1000, 1000, "", true}, {0, 1000, "", true}, {1001, 1000, "", false},
		{1000, 0, "", false}, {1000, 0, "1000", true}, {1000, 0, "1001", false}, {1001, 1000, "1001", false},
	} {
		if got := trusted(test.owner, test.user, test.sudo); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
