package source

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder makes one with all that a folder may have.
func folder(t testing.TB) string {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "b.txt"), "b")
	write(t, filepath.Join(dir, "a", "deep", "x"), "deep")
	write(t, filepath.Join(dir, "a.txt"), "a")
	write(t, filepath.Join(dir, "empty.txt"), "")
	write(t, filepath.Join(dir, "bin", "run"), "#!/bin/sh\n")
	for _, err := range []error{
		os.Chmod(filepath.Join(dir, "bin", "run"), 0o755),
		os.MkdirAll(filepath.Join(dir, "nothing", "here"), 0o755),
		os.Symlink("a.txt", filepath.Join(dir, "link")),
		os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "linked")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listing describes the content of a folder.
func listing(t testing.TB, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			lines = append(lines, rel+"/")
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		lines = append(lines, fmt.Sprintf("%s %s %q", rel, info.Mode(), data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestFolder(t *testing.T) {
	want := []string{
		"a/", "a/deep/", `a/deep/x -r--r--r-- "deep"`, `a.txt -r--r--r-- "a"`, `b.txt -r--r--r-- "b"`,
		"bin/", `bin/run -r-xr-xr-x "#!/bin/sh\n"`, `empty.txt -r--r--r-- ""`, `link -r--r--r-- "a"`,
		"linked/", "linked/deep/", `linked/deep/x -r--r--r-- "deep"`, "nothing/", "nothing/here/",
	}
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			r := asArgument(t, f, store, Dir(folder(t)))
			path := must(r.Path(t.Context()))(t)
			if got := listing(t, path); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if r.Size() != 21 {
				t.Errorf("Size %d, want 21", r.Size())
			}
			if again := must(r.Path(t.Context()))(t); again != path {
				t.Errorf("unpacked again, to %s", again)
			}
			if _, err := r.Open(t.Context()); err == nil {
				t.Error("a folder could be opened")
			}
		})
	}
}

// A function may return a folder below its out folder, or an empty one.
func TestReturnedFolder(t *testing.T) {
	for name, store := range stores(t) {
		t.Run(name, func(t *testing.T) {
			f, out := newFiles(t), folder(t)
			r := asResult(t, f, store, out, Dir(filepath.Join(out, "a")))
			if got := listing(t, must(r.Path(t.Context()))(t)); !slices.Equal(got, []string{"deep/", `deep/x -r--r--r-- "deep"`}) {
				t.Errorf("got %q", got)
			}
			empty := asResult(t, f, store, out, Dir(filepath.Join(out, "nothing", "here")))
			if got := listing(t, must(empty.Path(t.Context()))(t)); len(got) != 0 {
				t.Errorf("got %q", got)
			}
		})
	}
}

// The manifest is part of memo keys: it must not change.
func TestManifestGolden(t *testing.T) {
	m := &manifest{
		Files:   []entry{{Path: "b", Hash: Hash{2}, Size: 300, Executable: true}, {Path: "a/ü", Hash: Hash{1}}},
		Folders: []string{"z", "c"},
	}
	const want = "a3" + // a map of three
		"6566696c6573" + "82" + // "files": two of
		"84" + "64612fc3bc" + "5820" + "0100000000000000000000000000000000000000000000000000000000000000" + "00" + "f4" +
		"84" + "6162" + "5820" + "0200000000000000000000000000000000000000000000000000000000000000" + "19012c" + "f5" +
		"66666f726d6174" + "6e6d6f7073312d6d616e6966657374" + // "format": "mops1-manifest"
		"67666f6c64657273" + "82" + "6163" + "617a" // "folders": "c", "z"
	data := must(m.encode())(t)
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("encoded as\n%s, want\n%s", got, want)
	}
	back := must(decodeManifest(data))(t)
	if len(back.Files) != 2 || back.Files[1] != m.Files[1] {
		t.Errorf("decoded %v", back)
	}
	empty := hex.EncodeToString(must((&manifest{}).encode())(t))
	if want := "a36566696c6573806666" + "6f726d61746e6d6f7073312d6d616e696665737467666f6c6465727380"; empty != want {
		t.Errorf("the empty folder is\n%s, want\n%s", empty, want)
	}
}

// A manifest comes from a store: it must not write outside of its folder.
func TestManifestRefuses(t *testing.T) {
	file := func(paths ...string) *manifest {
		m := &manifest{Format: manifestFormat}
		for _, path := range paths {
			m.Files = append(m.Files, entry{Path: path})
		}
		return m
	}
	for name, m := range map[string]*manifest{
		"format":        {Format: "mops2-manifest"},
		"climbs":        file("../x"),
		"climbs inside": file("a/../../x"),
		"absolute":      file("/etc/passwd"),
		"empty":         file(""),
		"itself":        file("."),
		"not clean":     file("a//b"),
		"zero byte":     file("a\x00b"),
		"twice":         file("a", "a"),
		"file as dir":   file("a", "a/b"),
		"both":          {Format: manifestFormat, Files: []entry{{Path: "a"}}, Folders: []string{"a"}},
		"folder climbs": {Format: manifestFormat, Folders: []string{"../x"}},
		"folder below":  {Format: manifestFormat, Files: []entry{{Path: "a"}}, Folders: []string{"a/b"}},
		"size":          {Format: manifestFormat, Files: []entry{{Path: "a", Size: -1}}},
	} {
		if _, err := decodeManifest(must(encoding.Marshal(m))(t)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	m := &manifest{Files: []entry{{Path: "a/b"}, {Path: "c", Size: 3, Executable: true}}, Folders: []string{"d"}}
	f.Add(must(m.encode())(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data)
		if err != nil {
			return
		}
		for _, e := range m.Files {
			if !fs.ValidPath(e.Path) || e.Path == "." {
				t.Errorf("accepted path %q", e.Path)
			}
		}
	})
}

// The identity of a folder: names, contents, executable bits, empty folders;
// nothing else.
func TestFolderIdentity(t *testing.T) {
	f := newFiles(t)
	hash := func(dir string) Hash {
		t.Helper()
		r := Dir(dir)
		if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
			t.Fatal(err)
		}
		return r.Hash()
	}
	same := hash(folder(t))
	if hash(folder(t)) != same {
		t.Error("two folders of one content differ")
	}
	for name, change := range map[string]func(dir string) error{
		"content": func(dir string) error { return os.WriteFile(filepath.Join(dir, "a.txt"), []byte("A"), 0o644) },
		"name": func(dir string) error {
			return os.Rename(filepath.Join(dir, "b.txt"), filepath.Join(dir, "c.txt"))
		},
		"executable":   func(dir string) error { return os.Chmod(filepath.Join(dir, "a.txt"), 0o755) },
		"empty folder": func(dir string) error { return os.Mkdir(filepath.Join(dir, "new"), 0o755) },
		"more":         func(dir string) error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) },
		"less":         func(dir string) error { return os.Remove(filepath.Join(dir, "b.txt")) },
	} {
		dir := folder(t)
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if hash(dir) == same {
			t.Errorf("%s does not change the identity", name)
		}
	}
}

func TestFolderRefuses(t *testing.T) {
	f := newFiles(t)
	for name, c := range map[string]struct {
		spoil func(dir string) error
		words []string
	}{
		"dangling link":  {func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, "a", "bad")) }, []string{"/a/bad", "dangling"}},
		"link to itself": {func(dir string) error { return os.Symlink("bad", filepath.Join(dir, "a", "bad")) }, []string{"/a/bad", "itself"}},
		"link upwards":   {func(dir string) error { return os.Symlink("../..", filepath.Join(dir, "a", "deep", "bad")) }, []string{"/a/deep/bad", "no end"}},
		"socket": {func(dir string) error {
			t.Chdir(dir) // the path of a socket must be short
			socket, err := net.Listen("unix", "bad")
			if err == nil {
				t.Cleanup(func() { socket.Close() })
			}
			return err
		}, []string{"/bad", "a socket"}},
		"device": {func(dir string) error { return os.Symlink("/dev/null", filepath.Join(dir, "bad")) }, []string{"/bad", "a device"}},
		"name":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, "bad\xff"), nil, 0o644) }, []string{`bad\xff`, "UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			if err := c.spoil(dir); err != nil {
				t.Skip("this system cannot have it: ", err)
			}
			wantError(t, f.Resolve(t.Context(), []*Ref{Dir(dir)}), c.words...)
		})
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := folder(t)
	if err := os.Chmod(filepath.Join(dir, "a.txt"), 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, newFiles(t).Resolve(t.Context(), []*Ref{Dir(dir)}), "a.txt", "may not be read")
}

// A folder in the cache that somebody changed is unpacked again.
func TestChangedTree(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"removed": func(dir string) error { return os.Remove(filepath.Join(dir, "a.txt")) },
		"added":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) },
		"content": func(dir string) error {
			if err := os.Chmod(filepath.Join(dir, "a.txt"), 0o644); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "a.txt"), []byte("A"), 0o644)
		},
		"empty folder": func(dir string) error { return os.RemoveAll(filepath.Join(dir, "nothing")) },
		"all":          os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiles(t)
			r := asArgument(t, f, remoteStore(t), Dir(folder(t)))
			path := must(r.Path(t.Context()))(t)
			want := listing(t, path)
			tick(t, f.cache.Dir)
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			if got := listing(t, must(r.Path(t.Context()))(t)); !slices.Equal(got, want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A folder is unpacked whole or not at all.
func TestIncompleteTree(t *testing.T) {
	f, store := newFiles(t), remoteStore(t)
	dir := folder(t)
	a := File(filepath.Join(dir, "a.txt"))
	r := asArgument(t, f, store, Dir(dir))
	if err := f.Resolve(t.Context(), []*Ref{a}); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), BlobKey(a.Hash())); err != nil {
		t.Fatal(err)
	}
	_, err := r.Path(t.Context())
	wantError(t, err, "gone", BlobKey(a.Hash()), "mops.Refresh")
	if left, _ := filepath.Glob(filepath.Join(f.cache.Dir, "trees", r.Hash().String())); len(left) > 0 {
		t.Errorf("there is %v", left)
	}
	// The rest goes on when it is there.
	asArgument(t, f, store, a)
	must(r.Path(t.Context()))(t)
}
