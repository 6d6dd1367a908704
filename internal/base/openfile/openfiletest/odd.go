//go:build unix

package openfiletest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Odd makes, by its name, what may lie at a path where a file belongs. There must
// be nothing at the path.
var Odd = map[string]func(path string) error{
	"pipe": func(path string) error { return unix.Mkfifo(path, 0o666) },
	"socket": func(path string) error {
		if err := unix.Mknod(path, unix.S_IFSOCK|0o666, 0); err != unix.EPERM {
			return err
		}
		return unix.Mkfifo(path, 0o666) // outside Linux, only root makes a socket that nobody binds
	},
	"device": func(path string) error { return os.Symlink("/dev/zero", path) },
	"link to pipe": func(path string) error {
		os.Remove(path + "-pipe")
		return errors.Join(unix.Mkfifo(path+"-pipe", 0o666), os.Symlink(filepath.Base(path)+"-pipe", path))
	},
	"dangling link": func(path string) error { return os.Symlink("nowhere/x", path) },
	"circle":        func(path string) error { return os.Symlink(filepath.Base(path), path) },
	"folder":        func(path string) error { return os.Mkdir(path, 0o777) },
}

// Put replaces what is at a path by something odd.
func Put(t testing.TB, path, kind string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Dir(path), 0o777), Odd[kind](path)); err != nil {
		t.Fatal(err)
	}
}

// Soon does something that must not hang.
func Soon[T any](t testing.TB, what string, do func() (T, error)) (T, error) {
	t.Helper()
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		value, err := do()
		ended <- outcome{value, err}
	}()
	select {
	case o := <-ended:
		return o.value, o.err
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s has not ended after 2 minutes", what)
		panic("not reached")
	}
}
