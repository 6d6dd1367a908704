//go:build linux

// Package machines are places for workers that are no cluster: a machine behind ssh, a
// Slurm of one node, and containers. All are Debian's real programs on this machine, with
// configuration, ports and keys of their own in a temporary folder, and end with the
// test. It tests executor/remote on them.
package machines

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

var installing sync.Mutex

// Need installs Debian's packages, unless the program is there. On a machine that
// has services of its own, which an installation would start, it skips the test, as
// it does where it may not install.
func Need(t testing.TB, program string, packages ...string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	_, noApt := exec.LookPath("apt-get")
	_, noSystemd := os.Stat("/run/systemd/system")
	if noApt != nil || os.Getuid() != 0 || noSystemd == nil {
		t.Skipf("there is no %s, and this test may not install the packages %v", program, packages)
	}
	install := func() ([]byte, error) {
		command := exec.Command("apt-get", append([]string{"install", "--quiet", "--yes", "--no-install-recommends"}, packages...)...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		return command.CombinedOutput()
	}
	if _, err := install(); err == nil {
		return
	}
	if said, err := exec.Command("apt-get", "update", "--quiet").CombinedOutput(); err != nil {
		t.Skipf("there is no %s, and packages cannot be had: %v\n%s", program, err, said)
	}
	if said, err := install(); err != nil {
		t.Fatalf("install %v: %v\n%s", packages, err, said)
	}
}

// daemon runs a server until the test ends.
func daemon(t testing.TB, program string, arguments ...string) {
	t.Helper()
	path, err := exec.LookPath(program) // sshd wants its absolute path
	if err != nil {
		t.Fatal(err)
	}
	said := &syncbuf.Buffer{}
	command := exec.Command(path, arguments...)
	command.Stdout, command.Stderr = said, said
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	command.WaitDelay = time.Second
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		command.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, said)
		}
	})
}

// until waits for what a server does when it is ready.
func until(t testing.TB, what string, ready func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		err := ready()
		if err == nil {
			return
		}
		if !sleep.For(ctx, 50*time.Millisecond) {
			t.Fatalf("%s is not ready: %v", what, err)
		}
	}
}

// freePort is one that no connection gets until a server listens there: those below
// 32768 are not given away by themselves.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		port := 12_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
}

func output(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	var said bytes.Buffer
	command := exec.Command(name, arguments...)
	command.Stderr = &said
	text, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, &said)
	}
	return strings.TrimSpace(string(text))
}

func write(t testing.TB, path string, mode os.FileMode, format string, arguments ...any) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, arguments...), mode); err != nil {
		t.Fatal(err)
	}
}

// noSleep spares a second at the end of each process with the race detector; no
// variable of the test itself gets through ssh, or into a container.
const noSleep = "GORACE=atexit_sleep_ms=0"

// SSH is a machine behind ssh: this one, with another cache folder.
type SSH struct {
	Config string // path of a configuration for ssh(1), by which each name leads there
	Path   string // folder with an ssh that has it
}

// StartSSH starts an sshd. Its users have these variables.
func StartSSH(t testing.TB, variables ...string) SSH {
	t.Helper()
	Need(t, "ssh", "openssh-client")
	Need(t, "sshd", "openssh-server")
	folder := t.TempDir()
	port := freePort(t)
	m := SSH{Config: filepath.Join(folder, "ssh_config"), Path: filepath.Join(folder, "bin")}
	for _, key := range []string{"host", "user"} {
		output(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(folder, key))
	}
	host, err := os.ReadFile(filepath.Join(folder, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "known_hosts"), 0o600, "[127.0.0.1]:%d %s", port, host)
	write(t, m.Config, 0o600, "Host *\n HostName 127.0.0.1\n Port %d\n User %s\n IdentityFile %s/user\n IdentitiesOnly yes\n UserKnownHostsFile %[3]s/known_hosts\n",
		port, output(t, "id", "-un"), folder)
	write(t, filepath.Join(folder, "sshd_config"), 0o600, `ListenAddress 127.0.0.1
Port %d
HostKey %s/host
AuthorizedKeysFile %[2]s/user.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UsePAM no
PidFile none
SetEnv MOPS_CACHE=%s %s %s
`, port, folder, filepath.Join(folder, "cache"), noSleep, strings.Join(variables, " "))
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(m.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(m.Path, "ssh"), 0o755, "#!/bin/sh\nexec %s -F %s \"$@\"\n", output(t, "which", "ssh"), m.Config)
	daemon(t, "sshd", "-D", "-e", "-f", filepath.Join(folder, "sshd_config"))
	until(t, "sshd", func() error { return exec.Command("ssh", "-F", m.Config, "far", "true").Run() })
	return m
}

// StartSlurm starts a Slurm of one node, this machine. Programs find it by the variable
// SLURM_CONF with what StartSlurm returns. It takes root here.
func StartSlurm(t testing.TB) (conf string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("Slurm starts jobs as root only")
	}
	Need(t, "slurmctld", "slurmctld", "slurmd", "slurm-client", "munge")
	Need(t, "slurmd", "slurmd")
	folder := t.TempDir()
	for path := folder; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		os.Chmod(path, 0o755) // munge refuses a folder that others may write to
	}
	for _, name := range []string{"spool", "state"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	munge, err := os.MkdirTemp("/run", "mops-munge-") // nobody else may write above it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(munge) })
	if err := os.Chmod(munge, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(munge, "key"), 0o600, "%s", strings.Repeat("a key for tests only ", 8))
	daemon(t, "munged", "--foreground", "--force", "--key-file="+munge+"/key", "--socket="+munge+"/socket", "--pid-file="+munge+"/pid",
		"--log-file="+munge+"/log", "--seed-file="+munge+"/seed")
	host := output(t, "hostname", "-s")
	write(t, filepath.Join(folder, "slurm.conf"), 0o644, `ClusterName=mops
SlurmctldHost=%s(127.0.0.1)
SlurmctldPort=%d
SlurmdPort=%d
AuthInfo=socket=%s/socket
SlurmUser=root
SlurmctldPidFile=%s/ctld.pid
SlurmdPidFile=%[5]s/slurmd.pid
SlurmdSpoolDir=%[5]s/spool
StateSaveLocation=%[5]s/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
JobAcctGatherType=jobacct_gather/none
KillWait=5
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=16 RealMemory=16000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`, host, freePort(t), freePort(t), munge, folder)
	conf = filepath.Join(folder, "slurm.conf")
	until(t, "munged", func() error { _, err := os.Stat(munge + "/socket"); return err })
	daemon(t, "slurmctld", "-D", "-f", conf)
	daemon(t, "slurmd", "-D", "-f", conf)
	slurm := func(program string, arguments ...string) (string, error) {
		command := exec.Command(program, arguments...)
		command.Env = append(os.Environ(), "SLURM_CONF="+conf)
		said, err := command.CombinedOutput()
		return string(said), err
	}
	until(t, "Slurm", func() error {
		said, err := slurm("sinfo", "--noheader", "--states=idle", "--format=%n")
		if err != nil || !strings.Contains(said, host) {
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	})
	t.Cleanup(func() { // a step does not end while nobody listens
		slurm("scancel", "--user=root")
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for left := "?"; left != "" && sleep.For(ctx, 50*time.Millisecond); {
			left, _ = slurm("squeue", "--noheader")
		}
	})
	return conf
}
