package source

import (
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/TrilliantHealth/mops-go/internal/sources/filehash"
	"golang.org/x/sys/unix"
)

// How each file system behaves, and that a hash is remembered if settle says
// that the times show every change. Only root can mount file systems.
func TestFileSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: makes file systems")
	}
	for _, test := range []struct {
		name       string
		make       []string // on a file of this size in MB; without, the kernel needs no device
		size       int64
		kind       string
		options    string
		remembered bool
	}{
		{"ext4", []string{"mkfs.ext4", "-q"}, 16, "ext4", "loop", true},
		{"ext4 with lazy times", []string{"mkfs.ext4", "-q"}, 16, "ext4", "loop,lazytime", true},
		{"ext4 with data in its journal", []string{"mkfs.ext4", "-q"}, 16, "ext4", "loop,data=journal", true},
		{"ext3", []string{"mkfs.ext3", "-q"}, 16, "ext3", "loop", true},
		{"ext2", []string{"mkfs.ext2", "-q"}, 16, "ext2", "loop", true},
		{"xfs", []string{"mkfs.xfs", "-q"}, 320, "xfs", "loop", true},
		{"btrfs", []string{"mkfs.btrfs", "-q"}, 128, "btrfs", "loop", true},
		{"btrfs without copies", []string{"mkfs.btrfs", "-q"}, 128, "btrfs", "loop,nodatacow", true},
		{"tmpfs", nil, 0, "tmpfs", "", false},
		{"ramfs", nil, 0, "ramfs", "", false},
		{"overlay", nil, 0, "overlay", "lowerdir=lower,upperdir=upper,workdir=work", false},
		{"overlay without sync", nil, 0, "overlay", "volatile,lowerdir=lower,upperdir=upper,workdir=work", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			device, below := "none", t.TempDir()
			if test.make != nil {
				device = filepath.Join(below, "device")
				file := must(os.Create(device))(t)
				if err := errors.Join(file.Truncate(test.size<<20), file.Close()); err != nil {
					t.Fatal(err)
				}
				if text, err := exec.Command(test.make[0], append(test.make[1:], device)...).CombinedOutput(); err != nil {
					t.Skipf("there is no file system to try: %v: %s", err, text)
				}
			}
			for _, name := range []string{"lower", "upper", "work"} {
				if err := os.Mkdir(filepath.Join(below, name), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			dir := mounted(t, below, test.kind, device, test.options)
			if remembered := mappedWrites(t, dir); remembered != test.remembered {
				t.Errorf("the hash was remembered: %v", remembered)
			}
		})
	}
}

// mounted is a folder with a file system of this kind mounted on it.
func mounted(t *testing.T, workDir, kind, device, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system")
	}
	dir := t.TempDir()
	command := exec.Command("mount", "-t", kind, "-o", "rw,"+options, device, dir)
	command.Dir = workDir
	if text, err := command.CombinedOutput(); err != nil {
		t.Skipf("there is no file system to try: %v: %s", err, text)
	}
	t.Cleanup(func() {
		if text, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, text)
		}
	})
	return dir
}

// A write(2) has the time of its beginning, however long it takes. Bytes that
// it writes after the file was hashed are not missed.
func TestSlowWrite(t *testing.T) {
	path, page := tempFile(t, pattern(16<<12)), 1<<12
	buffer, release := stalling(t, 16*page, 8*page)
	f := newFiles(t)
	f.now = func() time.Time { return time.Now().Add(time.Hour) }
	hashed := make(chan struct{}, 2)
	f.hashes.Moment = func(moment, _ string) { hashed <- struct{}{} }

	file := must(os.OpenFile(path, os.O_RDWR, 0))(t)
	defer file.Close()
	written := make(chan error, 1)
	go func() {
		_, err := unix.Pwrite(int(file.Fd()), buffer, 0)
		written <- err
	}()
	for first := []byte{'0'}; first[0] == '0'; runtime.Gosched() {
		if _, err := file.ReadAt(first, 0); err != nil { // on some file systems this waits for the writer
			t.Fatal(err)
		}
		if len(written) > 0 {
			t.Fatal("the write did not stall")
		}
	}
	resolved := make(chan error, 1)
	go func() { resolved <- f.Resolve(t.Context(), []*Ref{File(path)}) }()
	select {
	case <-hashed: // half of it is written
	case <-time.After(100 * time.Millisecond): // it waits, and nothing says so
	}
	release()
	if err := errors.Join(<-written, <-resolved); err != nil {
		t.Fatal(err)
	}
	r := File(path)
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	if r.Hash() != Hash(sha256.Sum256(must(os.ReadFile(path))(t))) {
		t.Error("the hash of a half-written file was remembered")
	}
}

// stalling is memory of some size, in whole pages. A reader of it stops at an
// offset until it is released; see userfaultfd(2).
func stalling(t *testing.T, size, at int) (memory []byte, release func()) {
	t.Helper()
	const (
		api, register, zero = 0xc018aa3f, 0xc020aa00, 0xc020aa04 // the requests of linux/userfaultfd.h
		version, missing    = 0xaa, 1
	)
	number, _, failed := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if failed != 0 {
		t.Skip("nothing to make a write slow with: userfaultfd: ", failed)
	}
	t.Cleanup(func() { unix.Close(int(number)) })
	memory = must(unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS))(t)
	t.Cleanup(func() { unix.Munmap(memory) })
	copy(memory[:at], strings.Repeat("x", at))
	start := uint64(uintptr(unsafe.Pointer(&memory[at])))
	ask := func(request uintptr, words [4]uint64) {
		t.Helper()
		if _, _, failed := unix.Syscall(unix.SYS_IOCTL, number, request, uintptr(unsafe.Pointer(&words))); failed != 0 {
			t.Fatal("userfaultfd: ", failed)
		}
	}
	ask(api, [4]uint64{version})
	ask(register, [4]uint64{start, uint64(size - at), missing})
	return memory, func() { ask(zero, [4]uint64{start, uint64(size - at)}) }
}

// The kind of fault: a file whose size is not the length of its content. Such
// content cannot be copied and checked as a file's, and nobody will ever finish
// writing it. Some of these files block their readers for ever, and are not
// read at all.
func TestGeneratedFiles(t *testing.T) {
	at := func(path string) func(*testing.T) string { return func(*testing.T) string { return path } }
	for name, file := range map[string]func(*testing.T) string{
		"of no size":            at("/proc/version"),
		"of one page":           at("/sys/kernel/uevent_seqnum"),
		"that blocks":           func(t *testing.T) string { return filepath.Join(mounted(t, ".", "tracefs", "none", ""), "trace_pipe") },
		"of more than its size": func(t *testing.T) string { return filepath.Join(mounted(t, ".", "binfmt_misc", "none", ""), "status") },
		"of less than its size": func(t *testing.T) string {
			queue := filepath.Join(mounted(t, ".", "mqueue", "none", ""), "queue")
			if err := must(os.Create(queue))(t).Close(); err != nil {
				t.Fatal(err)
			}
			return queue
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				t.Skip("there is no such file here: ", path)
			}
			f, store, out := newFiles(t), localStore(t), t.TempDir()
			link := filepath.Join(out, "link")
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			for _, r := range []*Ref{File(path), File(link), Dir(out)} {
				wantNoSnapshot(t, f.Resolve(t.Context(), []*Ref{r}))
			}
			for _, r := range []*Ref{File(path), File(link), FileAt(link, fileURI(filepath.Join(t.TempDir(), "copy"))), Dir(out)} {
				_, err := f.Publish(t.Context(), store, callPrefix, "run1", out, []*Ref{r}, 0)
				wantNoSnapshot(t, err)
			}
			if left := keys(t, store); len(left) > 0 {
				t.Errorf("the store holds %q", left)
			}
		})
	}
}

func wantNoSnapshot(t *testing.T, err error) {
	t.Helper()
	wantError(t, err, "pass a copy of its content")
	if errors.Is(err, ErrChanged) {
		t.Errorf("%v blames a writer", err)
	}
}

// A touched file is hashed again before it is copied. That hash, too, holds
// only for its stamp.
func TestTouchedAndChangedBeforeCopy(t *testing.T) {
	path := write(t, filepath.Join(smallDisk(t), "file"), pattern(8<<10))
	mapping := mapShared(t, path)
	mapping[0] = '0' // the only write that this file system dates
	f, store := settled(newFiles(t)), localStore(t)
	r := File(path)
	if err := f.Resolve(t.Context(), []*Ref{r}); err != nil {
		t.Fatal(err)
	}
	tick(t, path)
	fresh(f)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f.hashes.Moment = func(moment, _ string) {
		if moment == filehash.Hashed {
			mapping[0] = 'x'
		}
	}
	if _, err := f.Upload(t.Context(), store, []*Ref{r}, 0); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	if left := keys(t, store); len(left) > 0 {
		t.Errorf("the store holds %q", left)
	}
}
