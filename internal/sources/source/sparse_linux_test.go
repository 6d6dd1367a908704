package source

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/internal/base/localcache"
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
		wantSparse(t, path)
	}
}

func wantSparse(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; taken > 1<<20 {
		t.Errorf("%s takes %d bytes", path, taken)
	}
}

// So are they when they come back: whole, in ranges, also when some of them came
// before, in a folder, and at a path of the user's choice.
func TestDownloadsKeepHoles(t *testing.T) {
	const size = 16 << 20
	for name, small := range map[string]int64{"in ranges": rangeSize, "whole": size} {
		for what, at := range map[string]*blob.Store{"remote": nil, "local": localStore(t)} {
			t.Run(name+" "+what, func(t *testing.T) {
				defer func(r int64) { rangeSize = r }(rangeSize)
				rangeSize = small
				var gets *watched
				store := at
				if store == nil {
					store, gets = elsewhere(t)
				}
				folder, content := t.TempDir(), make([]byte, size)
				copy(content[size/2:], "in the middle")
				path := write(t, filepath.Join(folder, "name"), string(content))
				f := newFiles(t)
				file := asArgument(t, f, store, File(path))
				if gets != nil && small < size { // an earlier try leaves garbage where holes will be
					gets.set(func(part driver.Range) error {
						if part.Offset >= 2*rangeSize {
							return errCut
						}
						return nil
					})
					if _, err := file.Path(t.Context()); err == nil {
						t.Fatal("no error")
					}
					gets.set(nil)
					if err := writeAt(f.cachePath(file.Hash())+localcache.PartSuffix, "garbage", 3*rangeSize); err != nil {
						t.Fatal(err)
					}
					gets.take()
				}
				got := must(file.Path(t.Context()))(t)
				if gets != nil && small < size {
					if _, lowest := gets.take(); lowest != 2*rangeSize {
						t.Errorf("the download went on at %d: garbage was kept until the end", lowest)
					}
				}
				copied := filepath.Join(t.TempDir(), "copy")
				if err := file.CopyTo(t.Context(), copied); err != nil {
					t.Fatal(err)
				}
				unpacked := must(asArgument(t, f, store, Dir(folder)).Path(t.Context()))(t)
				for _, path := range []string{got, copied, filepath.Join(unpacked, "name")} {
					if there := must(os.ReadFile(path))(t); !bytes.Equal(there, content) {
						t.Errorf("%s has other content: %d bytes", path, len(there))
					}
					wantSparse(t, path)
				}
			})
		}
	}
}
