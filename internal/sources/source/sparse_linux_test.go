package source

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob/fileblob"
)

// Files with holes are stored with holes: below the call, at a path that the user
// named, and under their hash.
func TestSparseFilesKeepTheirHoles(t *testing.T) {
	root, out, there := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "there")
	store, err := fileblob.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	f, ctx := newFiles(t), t.Context()
	const size = 16 << 20
	made := func(path, content string) string {
		if err := os.Truncate(write(t, path, content), size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	refs := []*Ref{
		File(made(filepath.Join(out, "a"), "a")),
		File(made(filepath.Join(t.TempDir(), "b"), "b")),
		FileAt(made(filepath.Join(out, "c"), "c"), "file://"+there),
	}
	if _, err := f.Publish(ctx, store, callPrefix, "run1", out, refs, 0); err != nil {
		t.Fatal(err)
	}
	paths := []string{there}
	for _, key := range keys(t, store) {
		paths = append(paths, filepath.Join(root, key))
	}
	if len(paths) != 3 {
		t.Errorf("stored are %q", paths)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(content) != size || !strings.Contains("abc", string(content[:1])) || strings.Trim(string(content[1:]), "\x00") != "" {
			t.Errorf("%s has other content: %d bytes", path, len(content))
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; taken > 1<<20 {
			t.Errorf("%s takes %d bytes", path, taken)
		}
	}
}
