package shell

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var tool string // built by TestMain

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "mops-shell-")
	if err == nil {
		tool = filepath.Join(folder, "mops")
		build := exec.Command("go", "build", "-o", tool, "./cmd/mops")
		build.Dir, build.Stderr = "../..", os.Stderr
		err = build.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the tool was not built:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// terminal is what a command writes to a terminal of its own.
type terminal struct {
	t      *testing.T
	master *os.File

	mu    sync.Mutex
	shown strings.Builder
	more  chan struct{} // has one when there is more to see
	ended chan struct{}
}

// onTerminal starts a command on a new terminal, which ends with the test.
func onTerminal(t *testing.T, command *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("left out, there is no terminal to be had: %v", err)
	}
	number := 0
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		number, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 160}); err != nil {
		t.Fatal(err)
	}
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	term := &terminal{t: t, master: master, more: make(chan struct{}, 1), ended: make(chan struct{})}
	go term.read()
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		<-term.ended // with the last holder of the other end
		master.Close()
	})
	return term
}

func (term *terminal) read() {
	defer close(term.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := term.master.Read(buffer)
		term.mu.Lock()
		term.shown.Write(buffer[:n])
		term.mu.Unlock()
		select {
		case term.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.shown.String()
}

func (term *terminal) write(keys string) {
	term.t.Helper()
	if _, err := term.master.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// await waits until what is seen is as it should be.
func (term *terminal) await(what string, is func(shown string) bool) {
	term.t.Helper()
	ctx, cancel := context.WithTimeout(term.t.Context(), 3*time.Minute)
	defer cancel()
	for !is(term.text()) {
		select {
		case <-term.more:
		case <-ctx.Done():
			term.t.Fatalf("%s is not seen in %q", what, term.text())
		}
	}
}
