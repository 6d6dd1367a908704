//go:build linux || darwin

package source

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kind of fault: content that changes while size, inode and times stay.
// Some kernels and file systems date a write through a shared mapping when the
// page becomes dirty, others late or never. Whatever they do, the hash is that
// of the file's content.
func TestMappedWrites(t *testing.T) { mappedWrites(t, t.TempDir()) }

// mappedWrites writes to a file of the folder through a mapping, again and
// again, and says whether its hash was remembered in between.
func mappedWrites(t *testing.T, dir string) (remembered bool) {
	t.Helper()
	path, state := write(t, filepath.Join(dir, "mapped"), pattern(64<<10)), t.TempDir()
	mapping := mapShared(t, path)
	processes := []*Files{newFilesWith(t, Options{StateDir: state}), newFilesWith(t, Options{StateDir: state})}
	for _, f := range processes {
		f.now = func() time.Time { return time.Now().Add(time.Hour) } // no file is too young
	}
	for i := range byte(4) {
		mapping[0], mapping[50_000] = 'a'+i, 'a'+i
		want := Hash(sha256.Sum256(mapping))
		for n := range processes { // each is the first to see a change half of the times
			f := processes[(int(i)+n)%2]
			for range 2 {
				hashed := countHashed(f)
				r := File(path)
				if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
					t.Fatal(err)
				}
				if r.Hash() != want {
					t.Fatalf("write %d: the hash is that of an earlier content", i)
				}
				remembered = hashed.take() == 0
			}
		}
		tick(t, path)
	}
	return remembered
}

// mapShared maps a file for reading and writing.
func mapShared(t *testing.T, path string) []byte {
	t.Helper()
	file := must(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer file.Close()
	size := must(file.Stat())(t).Size()
	mapping := must(unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED))(t)
	t.Cleanup(func() { unix.Munmap(mapping) })
	return mapping
}
