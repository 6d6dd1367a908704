// Package debian gets what tests need from Debian's packages, with apt-get, as root on
// a machine that runs Debian or what descends from it.
package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Usable says whether this process may get packages here.
func Usable() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && runtime.GOOS == "linux" && os.Getuid() == 0
}

// Get runs apt-get in a folder; "" is the current one. If that fails, perhaps since
// its lists are missing or old, it brings these up to date and tries once more.
func Get(ctx context.Context, folder string, arguments ...string) error {
	if _, err := get(ctx, folder, arguments); err == nil {
		return nil
	}
	if said, err := get(ctx, "", []string{"update"}); err != nil {
		return fmt.Errorf("apt-get update: %w\n%s", err, said)
	}
	if said, err := get(ctx, folder, arguments); err != nil {
		return fmt.Errorf("apt-get %v: %w\n%s", arguments, err, said)
	}
	return nil
}

func get(ctx context.Context, folder string, arguments []string) ([]byte, error) {
	// Somebody else may be at work with apt or dpkg.
	command := exec.CommandContext(ctx, "apt-get", append([]string{"--quiet", "-o", "DPkg::Lock::Timeout=300"}, arguments...)...)
	command.Dir = folder
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return command.CombinedOutput()
}

// Unpack unpacks packages into a folder, without installing them.
func Unpack(ctx context.Context, folder string, packages ...string) error {
	if err := Get(ctx, folder, append([]string{"download"}, packages...)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if said, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", file, folder).CombinedOutput(); err != nil {
			return fmt.Errorf("unpack %s: %w\n%s", file, err, said)
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}
