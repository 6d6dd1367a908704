package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/TrilliantHealth/mops-go/internal/base/process"
)

// daemon is a program of a cluster that runs.
type daemon struct {
	name  string
	id    process.Identity
	log   string        // path of what it prints
	ended chan struct{} // closed when it has ended, then err says how
	err   error
}

// startDaemon starts a program, which ends with this process: programs of a
// namespace end with that.
func startDaemon(dir, name string, command *exec.Cmd) (*daemon, error) {
	d := &daemon{name: name, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(d.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	command.Dir = dir
	// A group of its own: Ctrl-C is for the process that started the cluster.
	attributes(command).Setpgid = true
	endWithParent(command)
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if d.id, err = process.Of(command.Process.Pid); err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".pid"), []byte(d.id.String()), 0o600)
	}
	if err != nil {
		command.Process.Kill()
		command.Wait()
		return nil, err
	}
	go func() { // until the program ends, for which stop waits
		d.err = command.Wait()
		close(d.ended)
	}()
	return d, nil
}

func attributes(command *exec.Cmd) *syscall.SysProcAttr {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	return command.SysProcAttr
}

// stop ends the program and all in its group, and returns when they are gone.
func (d *daemon) stop(ctx context.Context, signal syscall.Signal) error {
	if err := d.id.SignalGroup(signal); err != nil {
		return fmt.Errorf("stop %s: %w", d.name, err)
	}
	if err := d.id.WaitGroup(ctx); err != nil {
		return fmt.Errorf("wait for the end of %s (process %d): %w", d.name, d.id.PID, err)
	}
	<-d.ended // soon, as nothing of it runs
	return nil
}

// stopLeftovers kills the programs whose starter was killed before it stopped them.
// Usually there are none: the kernel did it.
func stopLeftovers(ctx context.Context, dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.pid"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		id, err := process.Parse(string(text))
		if err != nil || !id.SameHost(process.Self()) { // half written, or before the machine was started
			continue
		}
		if err := id.SignalGroup(syscall.SIGKILL); err != nil {
			return err
		}
		if err := id.WaitGroup(ctx); err != nil {
			return fmt.Errorf("wait for the end of process %d of %s: %w", id.PID, path, err)
		}
	}
	return nil
}

// failure says that the program ended, and its last words; nil while it runs.
func (d *daemon) failure() error {
	select {
	case <-d.ended:
		return fmt.Errorf("%s ended (%v); its last lines:\n%s", d.name, d.err, d.tail())
	default:
		return nil
	}
}

// tail is the end of the log.
func (d *daemon) tail() []byte {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], nil)
}
