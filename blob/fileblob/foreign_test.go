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

// TestUsersFileIsCopied: a user's later changes to his file do not reach the
// store.
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

// TestModes: the folder of the root decides about everything below: its group
// has access, whatever the umask; otherwise the umask decides.
func TestModes(t *testing.T) {
	for _, test := range []struct {
		name         string
		root         os.FileMode
		umask        int
		folder, file os.FileMode
	}{
		{"team", 0o775 | os.ModeSetgid, 0o002, 0o775 | os.ModeSetgid, 0o444},
		{"team, usual umask", 0o775 | os.ModeSetgid, 0o022, 0o775 | os.ModeSetgid, 0o444},
		{"team, closed umask", 0o770 | os.ModeSetgid, 0o077, 0o770 | os.ModeSetgid, 0o440},
		{"team, no setgid", 0o770, 0o077, 0o770, 0o440},
		{"readers", 0o755, 0o022, 0o755, 0o444},
		{"private", 0o700, 0o077, 0o700, 0o400},
		{"private folder, usual umask", 0o700, 0o022, 0o755, 0o444}, // nobody comes past the root
	} {
		t.Run(test.name, func(t *testing.T) {
			both(t, func(t *testing.T, named bool) {
				defer unix.Umask(unix.Umask(test.umask))
				dir := t.TempDir()
				must(0, os.Chmod(dir, test.root))
				s := must(Open(dir))
				s.Driver().(*store).named.Store(s.Driver().(*store).named.Load() || named)
				for _, key := range []string{"a/b/c/key", "a/b/d/key"} {
					for range 3 {
						must(s.PutBytes(t.Context(), key, []byte("x"), blob.PutOptions{}))
					}
				}
				must(0, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
					if err != nil || path == dir {
						return err
					}
					want := test.file
					if d.IsDir() {
						want = test.folder
					}
					info, err := d.Info()
					if mode := info.Mode() & (os.ModePerm | os.ModeSetgid); mode != want {
						t.Errorf("%s has mode %v, and should have %v", path, mode, want)
					}
					return err
				}))
				if left := must(os.ReadDir(filepath.Join(dir, tempDir))); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		})
	}
}

// TestDefaultRootIsPrivate: the default root, which nobody chose, is private.
func TestDefaultRootIsPrivate(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for uri, want := range map[string]os.FileMode{"file://~/.mops": 0o700, "file://~/chosen/one": 0o755} {
		defer unix.Umask(unix.Umask(0o022))
		s := must(blob.Open(t.Context(), uri))
		must(s.PutBytes(t.Context(), "a/b", nil, blob.PutOptions{}))
		info := must(os.Stat(s.Driver().(*store).dir))
		if info.Mode().Perm() != want {
			t.Errorf("%s was made with mode %v", uri, info.Mode())
		}
	}
}
