package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/TrilliantHealth/mops-go/test/debian"
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

// unpackContainers gets the packages.
func unpackContainers(ctx context.Context, tell func(what string)) error {
	_, err := toolcache.Folder(containersFolder(), func(folder string) error {
		tell("unpacking the Debian packages " + strings.Join(debianPackages, " and "))
		return debian.Unpack(ctx, folder, debianPackages...)
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
