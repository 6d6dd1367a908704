package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

//go:embed config/namespace.sh
var namespaceScript string

// namespace holds what a real cluster runs in: its own mounts, network and
// processes. All processes in it end with its first one, which waits for the end of
// its standard input, and so for that of this process.
type namespace struct {
	first    *daemon
	lifeline io.Closer
}

// openNamespace makes the cluster's namespace, with a link to this machine.
func (c *Cluster) openNamespace(ctx context.Context) error {
	// The shell stays, to reap processes that lost their parents.
	command := exec.Command("sh", "-c", "cat; exit")
	attributes(command).Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID
	lifeline, err := command.StdinPipe()
	if err != nil {
		return err
	}
	first, err := startDaemon(c.slot.dir, "namespace", command)
	if err != nil {
		lifeline.Close()
		return err
	}
	c.namespace = &namespace{first, lifeline}
	link, pid := c.slot.name(), strconv.Itoa(first.id.PID)
	script, err := c.writeFile("namespace.sh", namespaceScript)
	if err != nil {
		return err
	}
	setup := c.command("sh", script)
	setup.Env = append(os.Environ(), "DIR="+c.slot.dir, "API="+c.endpoint.api, "BITS="+subnetBits, "SERVICE="+firstService)
	for _, command := range []*exec.Cmd{
		exec.CommandContext(ctx, "ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", pid),
		exec.CommandContext(ctx, "ip", "address", "add", c.Host+"/"+subnetBits, "dev", link),
		exec.CommandContext(ctx, "ip", "link", "set", link, "up"),
		setup,
	} {
		command.Dir = c.slot.dir
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("make the namespaces of the cluster: %v: %w\n%s", command.Args, err, out)
		}
	}
	return nil
}

// command is a program to run in the cluster's namespace, if it has one.
func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	if c.namespace == nil {
		return exec.Command(program, args...)
	}
	pid := strconv.Itoa(c.namespace.first.id.PID)
	// The program's parent is a shell outside of the namespace, and the namespace cannot end
	// before that has waited for the program. An nsenter that forks would be a parent which
	// stops itself when it sees that its child is stopped: both may have been told to go on
	// by then, and nobody tells it again.
	enter := []string{"--target=" + pid, "--mount", "--net", "--pid", "--no-fork", "--", "sh", "-c", `"$@"; exit $?`, "sh", program}
	return exec.Command("nsenter", append(enter, args...)...)
}

// end kills all processes of the namespace.
func (n *namespace) end(ctx context.Context) error {
	n.lifeline.Close()
	return n.first.stop(ctx, syscall.SIGKILL)
}

// endWithParent lets the kernel kill the program when this process ends. It
// happens when the thread ends that started it; Go's threads end only with
// goroutines that are locked to them, of which there are none here.
func endWithParent(command *exec.Cmd) { attributes(command).Pdeathsig = syscall.SIGKILL }

// clearMachine removes what a cluster leaves outside of its namespace and folder: the
// machine's end of its link, and the control groups of its pods.
func (s *slot) clearMachine(ctx context.Context) error {
	if os.Getuid() != 0 {
		return nil
	}
	var failed error
	// The kernel does it, too, some time after the namespace ended: meanwhile the link is
	// not found any more, and is there yet.
	for s.hasLink() {
		out, err := exec.CommandContext(ctx, "ip", "link", "delete", s.name()).CombinedOutput()
		if err == nil {
			break
		}
		if !sleep.For(ctx, 20*time.Millisecond) {
			failed = fmt.Errorf("ip link delete %s: %w\n%s", s.name(), err, out)
			break
		}
	}
	groups, err := s.cgroups()
	failed = errors.Join(failed, err)
	for _, group := range groups {
		failed = errors.Join(failed, removeCgroup(group))
	}
	return failed
}

func (s *slot) hasLink() bool {
	_, err := os.Stat("/sys/class/net/" + s.name())
	return err == nil
}

// cgroups are the paths of the slot's control group: one, or one for every
// controller in version 1 (https://docs.kernel.org/admin-guide/cgroup-v1/).
func (s *slot) cgroups() ([]string, error) {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{filepath.Join(root, s.name())}, nil
	}
	procs, err := filepath.Glob(root + "/*/cgroup.procs")
	for i, path := range procs {
		procs[i] = filepath.Join(filepath.Dir(path), s.name())
	}
	return procs, err
}

// removeCgroup removes a control group with all in it; none of them has processes.
func removeCgroup(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeCgroup(filepath.Join(path, entry.Name())); err != nil {
				return err
			}
		}
	}
	return syscall.Rmdir(path)
}
