package openfile

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A file on which somebody has a lease, as file servers do, is read when the lease
// is given up: that is a wait which the kernel bounds.
func TestLeasedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	holder, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGIO)
	defer signal.Stop(asked)
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skip("left out: this file system knows no leases:", err)
	}
	let := make(chan error, 1)
	go func() {
		<-asked
		_, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		let <- err
	}()
	data, err := ReadAll(path, 100)
	if err != nil || string(data) != "content" {
		t.Errorf("%q, %v", data, err)
	}
	if err := <-let; err != nil {
		t.Error(err)
	}
}
