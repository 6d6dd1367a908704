package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

var then = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// tree makes a folder with what people have in folders.
func tree(t *testing.T) string {
	t.Helper()
	top := filepath.Join(t.TempDir(), "data")
	must(t, os.MkdirAll(filepath.Join(top, "sub", "closed"), 0o755))
	for name, mode := range map[string]fs.FileMode{"a.txt": 0o640, "run.sh": 0o755, "sub/empty": 0o600, "sub/closed/b": 0o444, "-odd name": 0o644} {
		path := filepath.Join(top, name)
		content := strings.Repeat(name, 1000)
		if strings.HasSuffix(name, "empty") {
			content = ""
		}
		must(t, os.WriteFile(path, []byte(content), 0o600))
		must(t, os.Chmod(path, mode))
		must(t, os.Chtimes(path, then, then))
	}
	must(t, os.Symlink("a.txt", filepath.Join(top, "link")))
	must(t, os.Symlink("../run.sh", filepath.Join(top, "sub", "up")))
	must(t, os.Chmod(filepath.Join(top, "sub", "closed"), 0o555))
	opened(t, top)
	return top
}

// opened lets the test's folders be removed.
func opened(t *testing.T, top string) {
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(top, "sub", "closed"), 0o700) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// describe is all that a copy should have in common with what was copied.
func describe(t *testing.T, top string) string {
	t.Helper()
	var all strings.Builder
	must(t, filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
		must(t, err)
		info, err := os.Lstat(path)
		must(t, err)
		name, _ := filepath.Rel(top, path)
		all.WriteString(name + " " + info.Mode().String())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			must(t, err)
			all.WriteString(" " + info.ModTime().UTC().String() + " " + string(data))
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			must(t, err)
			all.WriteString(" " + to)
		}
		all.WriteString("\n")
		return nil
	}))
	return all.String()
}

func TestThereAndBack(t *testing.T) {
	top := tree(t)
	var stream bytes.Buffer
	sent, err := Pack(&stream, top, "box")
	must(t, err)
	data := stream.Bytes()
	to := filepath.Join(t.TempDir(), "copy")
	opened(t, to)
	for range 2 { // the second replaces all of the first
		got, err := Unpack(iotest.OneByteReader(bytes.NewReader(data)), "box", to)
		must(t, err)
		if got.Files != sent.Files || got.Bytes != sent.Bytes || got.Files != 5 || len(got.Notes) > 0 {
			t.Errorf("sent %+v, got %+v", sent, got)
		}
		if was, is := describe(t, top), describe(t, to); was != is {
			t.Errorf("the copy differs:\n%.2000s\nwas\n%.2000s", is, was)
		}
	}
	for end := 0; end < len(data)-1024; end += 512 {
		part := filepath.Join(t.TempDir(), "part")
		opened(t, part)
		if _, err := Unpack(bytes.NewReader(data[:end]), "box", part); err == nil {
			t.Fatalf("a stream that broke off after %d of %d bytes is taken for whole", end, len(data))
		}
	}
}

func TestOneFile(t *testing.T) {
	top := tree(t)
	for _, from := range []string{"a.txt", "link"} {
		var stream bytes.Buffer
		_, err := Pack(&stream, filepath.Join(top, from), "x")
		must(t, err)
		to := filepath.Join(t.TempDir(), "b.txt")
		must(t, os.WriteFile(to, []byte("old, and longer than "), 0o400))
		_, err = Unpack(&stream, "x", to)
		must(t, err)
		data, err := os.ReadFile(to)
		must(t, err)
		info, err := os.Stat(to)
		must(t, err)
		if !strings.HasPrefix(string(data), "a.txta.txt") || info.Mode() != 0o640 || !info.ModTime().Equal(then) {
			t.Errorf("%s: %.20q %v %v", from, data, info.Mode(), info.ModTime())
		}
	}
}

// Whatever a pod sends, nothing is written but what was asked for.
func TestStreamsOfStrangers(t *testing.T) {
	dir := &tar.Header{Name: "./box/", Typeflag: tar.TypeDir, Mode: 0o755}
	file := func(name string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o6755, Size: 4}
	}
	link := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	second := func(name, to string) *tar.Header {
		return &tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to}
	}
	for _, test := range []struct {
		name    string
		stream  []*tar.Header
		refused bool
		notes   int
		wants   string // what is in the copy then
	}{
		{"plain, without setuid", []*tar.Header{dir, file("box/a")}, false, 0, "a -rwxr-xr-x"},
		{"dots", []*tar.Header{dir, file("box/../../evil")}, true, 0, ""},
		{"dots that stay", []*tar.Header{dir, file("box/x/../a")}, true, 0, ""},
		{"absolute", []*tar.Header{dir, file("/evil")}, true, 0, ""},
		{"another name", []*tar.Header{dir, file("evil")}, true, 0, ""},
		{"another name first", []*tar.Header{file(".bashrc")}, true, 0, ""},
		{"a longer name", []*tar.Header{dir, file("box2/evil")}, true, 0, ""},
		{"a file twice", []*tar.Header{file("box"), file("box")}, true, 0, ""},
		{"below a file", []*tar.Header{file("box"), file("box/a")}, true, 0, ""},
		{"through a link out", []*tar.Header{dir, link("box/l", ".."), file("box/l/evil")}, false, 1, "l drwx------\nl/evil -rwxr-xr-x"},
		{"through a link within", []*tar.Header{dir, link("box/l", "."), file("box/l/a")}, true, 0, ""},
		{"over a link", []*tar.Header{dir, link("box/l", "a"), file("box/a"), file("box/l")}, false, 0, "a -rwxr-xr-x\nl -rwxr-xr-x"},
		{"absolute link", []*tar.Header{dir, link("box/l", "/etc/passwd")}, false, 1, ""},
		{"link up and out", []*tar.Header{dir, link("box/d/l", "../../x")}, false, 1, "d drwx------"},
		{"link that goes down and up", []*tar.Header{dir, link("box/l", "a/b/..")}, false, 1, ""},
		{"link that stays", []*tar.Header{dir, link("box/d/l", "../x")}, false, 0, "d drwx------\nd/l Lrwxrwxrwx"},
		{"second name", []*tar.Header{dir, file("box/a"), second("box/b", "box/a")}, false, 0, "a -rwxr-xr-x\nb -rwxr-xr-x"},
		{"second name outside", []*tar.Header{dir, second("box/b", "/etc/passwd")}, true, 0, ""},
		{"second name of a link", []*tar.Header{dir, link("box/d/e/l", "../x"), second("box/l", "box/d/e/l")}, false, 1, "d drwx------\nd/e drwx------\nd/e/l Lrwxrwxrwx"},
		{"a device", []*tar.Header{dir, {Name: "box/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}, false, 1, ""},
		{"a link alone", []*tar.Header{link("box", "/etc/passwd")}, false, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stream bytes.Buffer
			out := tar.NewWriter(&stream)
			for _, h := range test.stream {
				must(t, out.WriteHeader(h))
				if h.Size > 0 {
					_, err := io.WriteString(out, "evil")
					must(t, err)
				}
			}
			must(t, out.Close())
			parent := t.TempDir()
			to := filepath.Join(parent, "folder", "copy")
			must(t, os.Mkdir(filepath.Dir(to), 0o755))
			got, err := Unpack(&stream, "box", to)
			if errors.Is(err, ErrRefused) != test.refused || len(got.Notes) != test.notes {
				t.Errorf("%+v, %v", got, err)
			}
			for _, outside := range []string{"", "folder"} {
				entries, err := os.ReadDir(filepath.Join(parent, outside))
				must(t, err)
				if len(entries) > 1 {
					t.Errorf("something was written beside the copy: %v", entries)
				}
			}
			if test.wants == "" {
				return
			}
			var is []string
			for line := range strings.Lines(describe(t, to)) {
				if fields := strings.Fields(line); fields[0] != "." {
					is = append(is, fields[0]+" "+fields[1])
				}
			}
			if strings.Join(is, "\n") != test.wants {
				t.Errorf("the copy has\n%s\nwant\n%s", strings.Join(is, "\n"), test.wants)
			}
		})
	}
}

// An old link in the way of a copy is replaced, not followed.
func TestOldLinks(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("precious"), 0o600))
	top := tree(t)
	to := filepath.Join(t.TempDir(), "copy")
	must(t, os.Mkdir(to, 0o700))
	opened(t, to)
	must(t, os.Symlink(victim, filepath.Join(to, "a.txt")))
	var stream bytes.Buffer
	_, err := Pack(&stream, top, "x")
	must(t, err)
	_, err = Unpack(&stream, "x", to)
	must(t, err)
	if data, _ := os.ReadFile(victim); string(data) != "precious" {
		t.Errorf("the file behind the link is now %.20q", data)
	}
}

func TestServe(t *testing.T) {
	top := tree(t)
	if _, asked := Serve(PackCommand(top), nil, nil, nil); asked {
		t.Error("a program that runs in no pod looks at its arguments")
	}
	t.Setenv("MOPS_K8S_POD", "p")
	var stream, errs bytes.Buffer
	if code, asked := Serve(PackCommand(top), nil, &stream, &errs); code != 0 || !asked {
		t.Fatal(code, asked, errs.String())
	}
	to := filepath.Join(t.TempDir(), "copy")
	opened(t, to)
	var said bytes.Buffer
	if code, asked := Serve(UnpackCommand("data", to), &stream, &said, &errs); code != 0 || !asked || said.String() != "unpacked\n" {
		t.Fatal(code, asked, errs.String())
	}
	if was, is := describe(t, top), describe(t, to); was != is {
		t.Errorf("the copy differs:\n%.2000s\nwas\n%.2000s", is, was)
	}
	if code, asked := Serve(PackCommand(filepath.Join(top, "nothing")), nil, &stream, &errs); code == 0 || !asked || !strings.Contains(errs.String(), "no such file") {
		t.Error(code, asked, errs.String())
	}
	for _, args := range [][]string{{"prog"}, {"prog", "mops-archive"}, {"prog", "pack", "a", "b"}} {
		if _, asked := Serve(args, nil, nil, nil); asked {
			t.Errorf("%q is taken for a request", args)
		}
	}
}
