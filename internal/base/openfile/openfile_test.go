//go:build unix

package openfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

func TestOnlyRegularFiles(t *testing.T) {
	for kind := range openfiletest.Odd {
		path := filepath.Join(t.TempDir(), "file")
		openfiletest.Put(t, path, kind)
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY | os.O_CREATE, os.O_RDWR | os.O_APPEND} {
			if kind == "dangling link" && flag&os.O_CREATE != 0 {
				continue // its folder is not there; see NoFollow
			}
			file, err := openfiletest.Soon(t, kind, func() (*os.File, error) { return RegularFile(path, flag, 0o600) })
			if err == nil {
				t.Errorf("%s: it was opened, as %s", kind, file.Name())
			}
			if e, ok := errors.AsType[*IrregularError](err); ok && (e.Path != path || e.Mode.IsRegular()) {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if _, err := openfiletest.Soon(t, kind, func() ([]byte, error) { return ReadAll(path, 100) }); err == nil {
			t.Errorf("%s: it was read", kind)
		}
		file, err := openfiletest.Soon(t, kind, func() (*os.File, error) { return Folder(path, NoFollow) })
		if (err == nil) != (kind == "folder") {
			t.Errorf("%s: opened as a folder: %v, %v", kind, file, err)
		}
	}
}

// A link to a file is as good as the file, and one that is too long is told by
// what is read of it.
func TestRegular(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(path, []byte("content"), 0o600), os.Symlink("file", path+"-link")); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int64]string{100: "content", 7: "content", 3: "cont"} {
		if data, err := ReadAll(path+"-link", limit); err != nil || string(data) != want {
			t.Errorf("up to %d: %q, %v", limit, data, err)
		}
	}
	file, err := RegularFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	io.WriteString(file, ", more")
	if data, err := ReadAll(path, 100); string(data) != "content, more" {
		t.Errorf("%q, %v", data, err)
	}
}
