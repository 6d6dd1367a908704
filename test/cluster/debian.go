package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/TrilliantHealth/mops-go/test/toolcache"
)

// debianPackages hold what runs containers and is not built: runc needs a C compiler
// and libraries. They are unpacked into the cache folder, not installed.
var debianPackages = []string{"runc", "containernetworking-plugins"}

var versionID = regexp.MustCompile(`(?m)^VERSION_ID="?([^"\n]+)`)

// containersFolder names the folder with the packages of this release.
func containersFolder() string {
	release, _ := os.ReadFile("/etc/os-release")
	id := "unknown"
	if found := versionID.FindSubmatch(release); found != nil {
		id = string(found[1])
	}
	return "runc-debian-" + id
}

// hasPackages says that the packages can be had, and be of use.
func hasPackages() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil && runtime.GOOS == "linux" && os.Getuid() == 0
}

// unpackContainers gets the packages.
func unpackContainers(ctx context.Context, tell func(what string)) error {
	_, err := toolcache.Folder(containersFolder(), func(folder string) error {
		tell("unpacking the Debian packages " + strings.Join(debianPackages, " and "))
		download := func() ([]byte, error) {
			command := exec.CommandContext(ctx, "apt-get", append([]string{"download", "--quiet"}, debianPackages...)...)
			command.Dir = folder
			return command.CombinedOutput()
		}
		if _, err := download(); err != nil { // perhaps it does not know the packages yet
			if said, err := exec.CommandContext(ctx, "apt-get", "update", "--quiet").CombinedOutput(); err != nil {
				return fmt.Errorf("apt-get update: %w\n%s", err, said)
			}
			if said, err := download(); err != nil {
				return fmt.Errorf("apt-get download %v: %w\n%s", debianPackages, err, said)
			}
		}
		packages, err := filepath.Glob(filepath.Join(folder, "*.deb"))
		if err != nil {
			return err
		}
		for _, pkg := range packages {
			if said, err := exec.CommandContext(ctx, "dpkg-deb", "--extract", pkg, folder).CombinedOutput(); err != nil {
				return fmt.Errorf("unpack %s: %w\n%s", pkg, err, said)
			}
			if err := os.Remove(pkg); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// containers are the folders of programs that run containers.
type containers struct {
	runc, cni string
}

// path is where containerd looks for its shim and runc.
func (c containers) path() string {
	return filepath.Dir(binary(shim)) + ":" + c.runc + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// containerPrograms finds the unpacked packages, or else what is installed.
func containerPrograms() (containers, error) {
	root := toolcache.Path(containersFolder())
	unpacked := containers{runc: root + "/usr/sbin", cni: root + "/usr/lib/cni"}
	if isFile(unpacked.runc + "/runc") {
		return unpacked, nil
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return containers{}, fmt.Errorf("%w: %w; install runc and the CNI plugins", ErrMissing, err)
	}
	for _, cni := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if isFile(cni + "/bridge") {
			return containers{runc: filepath.Dir(runc), cni: cni}, nil
		}
	}
	return containers{}, fmt.Errorf("%w: the CNI plugins are neither in /usr/lib/cni nor in /opt/cni/bin", ErrMissing)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
