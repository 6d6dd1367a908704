//go:build unix

package fileblob

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/blob"
)

// TestForeignFiles: files that others put into the root disturb nothing.
func TestForeignFiles(t *testing.T) {
	sc := newScene(t, 3)
	dir := filepath.Dir(sc.path)
	for _, name := range []string{".nfs0001", "backup~", "50%", "other~"} {
		sc.must(os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	sc.must(os.MkdirAll(filepath.Join(dir, "lost+found", "x"), 0o700))
	sc.must(os.MkdirAll(filepath.Join(dir, "%folder", "x"), 0o700))
	sc.must(unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	sc.must(os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	sc.must(os.Symlink(".", filepath.Join(dir, "loop")))
	sc.must(os.Symlink("key", filepath.Join(dir, "alias")))
	sc.must(os.WriteFile(versionsOf(sc.path)+"/.DS_Store", nil, 0o600))
	sc.put("after")
	sc.expect("after")
	var keys []string
	for info, err := range sc.List(t.Context(), "folder/", "folder/key") {
		sc.must(err)
		keys = append(keys, info.Key)
		if info.Key >= "folder/loop" {
			break // and so on, for ever deeper
		}
	}
	if !slices.Equal(keys, []string{"folder/key", "folder/loop/alias"}) {
		t.Errorf("there are listed %q", keys)
	}
}

// TestListEndsInCircles: symbolic links in circles do not make a list endless.
func TestListEndsInCircles(t *testing.T) {
	sc := newScene(t, 1)
	sc.must(os.Symlink(".", filepath.Join(filepath.Dir(sc.path), "a-circle-with-a-long-name-to-be-through-soon")))
	n := 0
	for _, err := range sc.List(t.Context(), "", "") {
		sc.must(err)
		n++
	}
	if n < 2 || n > blob.MaxKey {
		t.Errorf("%d blobs are listed", n)
	}
}

// TestBackupFile: a file where the versions should lie is left alone.
func TestBackupFile(t *testing.T) {
	sc := newScene(t, 1)
	sc.must(os.WriteFile(versionsOf(sc.path), []byte("mine"), 0o600))
	sc.expect("0")
	if _, err := sc.PutBytes(t.Context(), "folder/key", nil, blob.PutOptions{}); !blob.Is(err, blob.Invalid) {
		t.Errorf("a put over it gave %v", err)
	}
	sc.must(sc.Delete(t.Context(), "folder/key"))
	if data, err := os.ReadFile(versionsOf(sc.path)); err != nil || string(data) != "mine" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

// TestUsersFileIsCopied: what a user does to his file later does not reach the store.
func TestUsersFileIsCopied(t *testing.T) {
	sc := newScene(t, 0)
	name := filepath.Join(t.TempDir(), "mine")
	sc.must(os.WriteFile(name, []byte("before"), 0o600))
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	sc.must(err)
	defer file.Close()
	_, err = sc.Put(t.Context(), "folder/key", file, 6, blob.PutOptions{})
	sc.must(err)
	_, err = file.WriteAt([]byte("after!"), 0)
	sc.must(err)
	sc.expect("before")
}

// TestModes: a team shares by umask and setgid.
func TestModes(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		sc := newScene(t, 0)
		sc.s.named.Store(sc.s.named.Load() || named)
		old := unix.Umask(0o002)
		defer unix.Umask(old)
		sc.must(os.Chmod(sc.s.dir, 0o775|os.ModeSetgid))
		sc.put("0")
		sc.put("1")
		for path, want := range map[string]os.FileMode{
			filepath.Dir(sc.path):                 0o775,
			sc.path:                               0o444,
			versionsOf(sc.path):                   0o775,
			sc.newest().at(sc.path):               0o444,
			filepath.Dir(sc.newest().at(sc.path)): 0o775,
			sc.s.tempDir():                        0o775,
		} {
			info, err := os.Stat(path)
			sc.must(err)
			if info.Mode().Perm() != want || info.IsDir() != (info.Mode()&os.ModeSetgid != 0) {
				t.Errorf("%s has mode %v, and should have %v, folders with setgid", path, info.Mode(), want)
			}
		}
	})
}
