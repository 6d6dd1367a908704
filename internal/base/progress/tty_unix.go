//go:build unix

package progress

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// shell is what watches over the terminal; where there is none, there is no block.
const shell = "/bin/sh"

// tty is a terminal that this process shares with its shell. Its methods may be
// called on nil, as in tests. They are for one goroutine at a time, but for signals
// and heed.
type tty struct {
	file     *os.File
	notified chan os.Signal // nil before signals
	watcher  *exec.Cmd
	watch    io.WriteCloser // the watcher's input; nil before it runs
}

// openTTY is false where the terminal could not be given back.
func openTTY(file *os.File) (*tty, bool) {
	_, err := os.Stat(shell)
	return &tty{file: file}, err == nil
}

// foreground reports whether the terminal is ours to draw on, rather than the
// shell's, which runs this process in the background.
func (t *tty) foreground() bool {
	if t == nil {
		return true
	}
	group, err := unix.IoctlGetInt(int(t.file.Fd()), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp() // not our controlling terminal: nobody else's, either
}

// Nobody can tell that a process is about to end by os.Exit, by a panic on any
// goroutine or by SIGKILL. But margins that stay would spoil the terminal for the
// shell. So there is a process that waits for our end, which closes its input.
const watching = `while read -r state; do is=$state; done; [ "$is" != taken ] || printf %s "$1"`

// take says, before anything is drawn, that the terminal has to be given back if
// this process dies.
func (t *tty) take() error {
	if t == nil {
		return nil
	}
	if t.watch == nil {
		cmd := exec.Command(shell, "-c", watching, "mops-terminal", freed)
		cmd.Dir, cmd.Env, cmd.Stdout = "/", []string{}, t.file
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no signal of the terminal or to our group ends it
		watch, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		t.watcher, t.watch = cmd, watch
	}
	_, err := io.WriteString(t.watch, "taken\n")
	return err
}

// give says that nothing of ours is on the terminal any more.
func (t *tty) give() {
	if t != nil && t.watch != nil {
		_, _ = io.WriteString(t.watch, "given\n")
	}
}

// signals tells, until close, when the window has another size, and when the person
// presses Ctrl-Z: then heed the signal.
func (t *tty) signals() <-chan os.Signal {
	if t == nil {
		return nil
	}
	t.notified = make(chan os.Signal, 8)
	signal.Notify(t.notified, syscall.SIGWINCH)
	if os.Getpid() != 1 { // of a container; it cannot be stopped
		signal.Notify(t.notified, syscall.SIGTSTP)
	}
	return t.notified
}

// heed does what a signal asks for. At Ctrl-Z it calls hide, stops this process, and
// returns when its shell has continued it, or ended is closed.
func (t *tty) heed(s os.Signal, hide func(), ended <-chan struct{}) {
	if s != syscall.SIGTSTP {
		return
	}
	hide()
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	if syscall.Kill(syscall.Getpid(), syscall.SIGSTOP) != nil {
		return
	}
	select {
	case <-continued:
	case <-ended:
	}
}

// close ends the watcher.
func (t *tty) close() {
	if t == nil {
		return
	}
	if t.notified != nil {
		signal.Stop(t.notified)
	}
	if t.watch != nil {
		_ = t.watch.Close()
		_ = t.watcher.Wait()
	}
}
