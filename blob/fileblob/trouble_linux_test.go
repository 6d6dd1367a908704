package fileblob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/TrilliantHealth/mops-go/blob"
)

func init() { roles["trouble"] = trouble }

// TestTrouble fills a disk and makes it read-only: in a file system in memory,
// which a child mounts for itself.
func TestTrouble(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "store"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run=^$")
		cmd.Env = append(os.Environ(), envRole+"=trouble", envRoot+"="+root, envSize+"=0", envName+"=child", fmt.Sprint("FILEBLOB_TEST_NAMED=", named))
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		output, err := cmd.CombinedOutput()
		if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
			t.Skip("this machine lets nobody mount a file system in a namespace of his own:", err)
		}
		if bytes.Contains(output, []byte("cannot mount")) {
			t.Skipf("this machine lets nobody mount a file system in a namespace of his own: %s", output)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, output)
		}
	})
}

func trouble(c *child) error {
	ctx := context.Background()
	dir := c.Driver().(*store).dir
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	if _, err := c.PutBytes(ctx, "there", []byte("before"), blob.PutOptions{}); err != nil {
		return err
	}
	expect := func(err error, kind blob.Kind, says string) error {
		if blob.Is(err, kind) && strings.Contains(err.Error(), says) {
			return nil
		}
		return fmt.Errorf("the error should be %q and say %q, and is: %v", kind, says, err)
	}
	full := make([]byte, 1<<20)
	for _, key := range []string{"folder/deep/absent", "there"} {
		_, err := c.PutBytes(ctx, key, full, blob.PutOptions{})
		if err := expect(err, blob.Unavailable, "free some space"); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "there" && e.Name() != tempDir {
			return fmt.Errorf("a put for which there was no space has left %s", e.Name())
		}
	}
	if left, _ := readNames(filepath.Join(dir, tempDir)); len(left) > 0 {
		return fmt.Errorf("a put for which there was no space has left %s", left)
	}
	if _, err := c.PutBytes(ctx, "there", []byte("again"), blob.PutOptions{}); err != nil {
		return fmt.Errorf("after the disk was full: %w", err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "nr_inodes=8"); err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	err = nil
	for i := 0; err == nil && i < 8; i++ {
		_, err = c.PutBytes(ctx, fmt.Sprint("small", i), nil, blob.PutOptions{})
	}
	if err := expect(err, blob.Unavailable, "the disk has space, and no inodes"); err != nil {
		return err
	}
	if strings.Contains(err.Error(), "free some space") {
		return err
	}
	_, err = c.PutBytes(ctx, "one/more/folder/small", nil, blob.PutOptions{})
	if err := expect(err, blob.Unavailable, "the disk has space, and no inodes"); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	_, errPut := c.PutBytes(ctx, "new", nil, blob.PutOptions{})
	_, errOver := c.PutBytes(ctx, "there", nil, blob.PutOptions{})
	_, _, errClock := c.Now(ctx)
	data, _, errRead := c.ReadAll(ctx, "there", nil)
	if string(data) != "again" {
		errRead = fmt.Errorf("read %q, %w", data, errRead)
	}
	return errors.Join(errRead,
		expect(errPut, blob.Denied, "mounted for reading only"),
		expect(errOver, blob.Denied, "mounted for reading only"),
		expect(errClock, blob.Denied, "mounted for reading only"),
		expect(c.Delete(ctx, "there"), blob.Denied, "mounted for reading only"))
}

// TestDenied: a user without permission is told so.
func TestDenied(t *testing.T) {
	sc := newScene(t, 1)
	dir := filepath.Dir(sc.path)
	sc.must(os.Chmod(dir, 0o555))
	defer os.Chmod(dir, 0o755)
	if os.Getuid() == 0 { // root may do everything; so be nobody, in this thread
		sc.must(os.Chmod(filepath.Dir(sc.s.dir), 0o755))
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		sc.must(unix.Setfsuid(65534))
		defer unix.Setfsuid(0)
	}
	sc.expect("0")
	_, errPut := sc.PutBytes(t.Context(), "folder/new", nil, blob.PutOptions{})
	_, errOver := sc.PutBytes(t.Context(), "folder/key", nil, blob.PutOptions{})
	for what, err := range map[string]error{"put": errPut, "overwrite": errOver, "delete": sc.Delete(t.Context(), "folder/key")} {
		if !blob.Is(err, blob.Denied) || !strings.Contains(err.Error(), "owner and mode") || !strings.Contains(err.Error(), "umask") || !strings.Contains(err.Error(), "setgid") || !strings.Contains(err.Error(), "cd '"+sc.s.dir+"' && chgrp -R GROUP .") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
