package enginetest

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// StartElsewhere is Start in a pid namespace of its own (pid_namespaces(7)):
// neither can such a program see the processes of others, nor they its own, as
// if it ran on another host.
func StartElsewhere(t testing.TB, place, name string, arguments any, env ...string) *Program {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a pid namespace of its own takes root")
	}
	return start(t, executable(t), "", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}, place, name, arguments, env)
}

// UmaskVariable holds the umask that a program is to have, in octal.
const UmaskVariable = "ENGINETEST_UMASK"

// User is somebody to run a program as.
type User struct {
	ID     int // of the user, and of a group of his own
	Groups []uint32
	Umask  int
}

// StartAs is Start as another user, who has a home, with a cache and a state
// folder of his own. The test must be root's.
func StartAs(t testing.TB, u User, place, name string, arguments any, env ...string) *Program {
	t.Helper()
	home := filepath.Join(place, "home-"+strconv.Itoa(u.ID))
	binary := filepath.Join(place, "program")
	if _, err := os.Stat(binary); err != nil { // go test has its own in a folder that is closed to others
		if err := copyFile(binary, executable(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmp.Or(os.Chmod(filepath.Dir(place), 0o755), os.Chmod(place, 0o755), os.MkdirAll(home, 0o700), os.Chown(home, u.ID, u.ID)); err != nil {
		t.Fatal(err)
	}
	env = append([]string{
		UmaskVariable + "=" + strconv.FormatInt(int64(u.Umask), 8), "HOME=" + home, "TMPDIR=" + home,
		"MOPS_CACHE=" + home + "/cache", "MOPS_STATE=" + home + "/state"}, env...)
	credential := &syscall.Credential{Uid: uint32(u.ID), Gid: uint32(u.ID), Groups: u.Groups}
	return start(t, binary, "/", &syscall.SysProcAttr{Credential: credential}, place, name, arguments, env)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A process that is forked meanwhile has the file open for writing until it runs its
	// own program, and nobody can run this one until then.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(0o755), out.Close())
}

func init() {
	if mask, err := strconv.ParseInt(os.Getenv(UmaskVariable), 8, 32); err == nil {
		syscall.Umask(int(mask))
	}
}
