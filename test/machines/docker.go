//go:build linux

package machines

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/sleep"
)

// Image is a container image for which StartDocker lends the programs of this machine.
const Image = "localhost/mops-machine"

// StartDocker returns a folder with a docker that runs containers on the network of this
// machine, with its /usr. That is the real docker where its daemon answers, and else
// Debian's podman, which needs none. Containers keep programs in the folder cache, and
// see the folder that is shared.
func StartDocker(t testing.TB, shared string) (path string) {
	t.Helper()
	folder := t.TempDir()
	docker := "docker"
	// Limits that a root without CAP_SYS_RESOURCE may set.
	run := "--env=" + noSleep + " --network=host --ulimit=nofile=1024:1024 --ulimit=nproc=1000:1000"
	if exec.Command("docker", "info").Run() != nil {
		if os.Getuid() != 0 {
			t.Skip("there is no docker, and podman needs root here")
		}
		Need(t, "podman", "podman")
		Need(t, "runc", "runc")
		docker = fmt.Sprintf("podman --runtime=runc --root=%s/root --runroot=%[1]s/run --tmpdir=%[1]s/tmp --storage-driver=vfs --cgroup-manager=cgroupfs --events-backend=file", folder)
	}
	rootfs := filepath.Join(folder, "rootfs")
	for _, name := range []string{"dev", "etc", "proc", "root", "sys", "tmp", "usr", "var"} {
		if err := os.MkdirAll(filepath.Join(rootfs, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		if err := os.Symlink("usr/"+name, filepath.Join(rootfs, name)); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(folder, "bin")
	cache := filepath.Join(folder, "cache")
	for _, name := range []string{path, cache} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	real, err := exec.LookPath("docker")
	if err == nil && docker == "docker" {
		docker = real
	}
	write(t, filepath.Join(path, "docker"), 0o755, `#!/bin/sh
case $1 in
run) shift; exec %[1]s run %[2]s --volume=/usr:/usr:ro --volume=%[3]s:%[3]s --env=MOPS_CACHE=%[3]s --volume=%[4]s:%[4]s "$@" ;;
esac
exec %[1]s "$@"
`, docker, run, cache, shared)
	output(t, "tar", "-C", rootfs, "-cf", filepath.Join(folder, "image.tar"), ".")
	program := filepath.Join(path, "docker")
	output(t, program, "import", filepath.Join(folder, "image.tar"), Image)
	t.Cleanup(func() {
		containers := func() string { return output(t, program, "ps", "--quiet", "--filter=ancestor="+Image) }
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		left := containers()
		for left != "" && sleep.For(ctx, 100*time.Millisecond) { // some are about to end
			left = containers()
		}
		if left != "" {
			t.Errorf("there are containers left: %s", left)
			exec.Command("sh", "-c", program+" rm --force "+left).Run()
		}
		output(t, program, "rmi", Image)
	})
	if said, err := exec.Command(program, "run", "--rm", Image, "true").CombinedOutput(); err != nil {
		t.Skipf("containers cannot be run here: %v\n%s", err, said)
	}
	return path
}
