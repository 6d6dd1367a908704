package cluster

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/TrilliantHealth/mops-go/test/debian"
	"github.com/TrilliantHealth/mops-go/test/toolcache"
)

// kubernetesVersion is that in binaries.mod.
const kubernetesVersion = "v1.34.4"

//go:embed binaries.mod
var binariesMod []byte

//go:embed binaries.sum
var binariesSum []byte

// pauseProgram is what holds the namespaces of a pod while its containers come and
// go.
const pauseProgram = `package main

import "syscall"

func main() {
	for {
		syscall.Pause()
	}
}
`

// containerdVersion is newer than Debian's. That one, 1.6.20, closes the pipe of a
// container that has ended before it has read all: the last of the log is lost, up
// to version 1.6.22.
const containerdVersion = "v2.2.9"

// program is built from a package.
type program struct {
	name, pkg string
	version   string // of its module, which says what it is built from; "" says binaries.mod
	onlyReal  bool   // a simulated cluster does not need it
}

// programs are what is built, in the order in which it is: what a simulated cluster
// needs comes first.
var programs = []program{
	{name: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
	{name: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok"},
	{name: "kube-apiserver", pkg: "k8s.io/kubernetes/cmd/kube-apiserver"},
	{name: "kube-scheduler", pkg: "k8s.io/kubernetes/cmd/kube-scheduler"},
	{name: "kube-controller-manager", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{name: "pause", pkg: "binaries/pause", onlyReal: true},
	{name: "kubelet", pkg: "k8s.io/kubernetes/cmd/kubelet", onlyReal: true},
	{name: "containerd", pkg: "github.com/containerd/containerd/v2/cmd/containerd", version: containerdVersion, onlyReal: true},
	{name: shim, pkg: "github.com/containerd/containerd/v2/cmd/" + shim, version: containerdVersion, onlyReal: true},
}

// shim is what containerd looks for in PATH, by this name.
const shim = "containerd-shim-runc-v2"

// stamps tell the programs their version, which they compare with each other's.
var stamps = func() string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(kubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	flags := "-s -w"
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s", pkg, kubernetesVersion, major, minor)
	}
	return flags
}()

// folder names the folder of the program, by all that it is built from.
func (p program) folder() string {
	if p.version != "" {
		return p.name + "-" + p.version
	}
	hash := sha256.New()
	hash.Write(binariesMod)
	hash.Write(binariesSum)
	io.WriteString(hash, stamps)
	if p.name == "pause" {
		io.WriteString(hash, pauseProgram)
	}
	return fmt.Sprintf("kubernetes-%s-%.4x/%s", kubernetesVersion, hash.Sum(nil), p.name)
}

func (p program) path() string { return filepath.Join(toolcache.Path(p.folder()), p.name) }

// binary is the path of a program, there or not.
func binary(name string) string {
	return programs[slices.IndexFunc(programs, func(p program) bool { return p.name == name })].path()
}

// Build gets the programs that a cluster of the tier needs and that are not in the
// user's cache folder yet, and returns how many the cluster needs. Before each that it
// gets, it tells which one of these that is, and what it does. All of a real cluster's
// take 10 to 30 minutes on two cores, and 4 GB in Go's caches. One process at a time
// builds; others wait for it.
func Build(ctx context.Context, tier Tier, tell func(i, n int, what string)) (n int, err error) {
	wanted := slices.DeleteFunc(slices.Clone(programs), func(p program) bool {
		return p.onlyReal && (tier != RealTier || runtime.GOOS != "linux")
	})
	n = len(wanted)
	withPackages := tier == RealTier && debian.Usable()
	if withPackages {
		n++
	}
	for i, p := range wanted {
		_, err := toolcache.Folder(p.folder(), func(folder string) error {
			tell(i+1, n, "building "+p.name+" for Kubernetes "+kubernetesVersion)
			if p.version != "" {
				return install(ctx, p.pkg+"@"+p.version, folder)
			}
			return build(ctx, p.pkg, filepath.Join(folder, p.name))
		})
		if err != nil {
			return n, fmt.Errorf("build %s: %w", p.name, err)
		}
	}
	if !withPackages {
		return n, nil
	}
	return n, unpackContainers(ctx, func(what string) { tell(n, n, what) })
}

// build makes a program of what binaries.mod lists.
func build(ctx context.Context, pkg, program string) error {
	module, err := os.MkdirTemp("", "mops-binaries-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(module)
	err = errors.Join(
		os.WriteFile(filepath.Join(module, "go.mod"), binariesMod, 0o666),
		os.WriteFile(filepath.Join(module, "go.sum"), binariesSum, 0o666),
		os.Mkdir(filepath.Join(module, "pause"), 0o777),
		os.WriteFile(filepath.Join(module, "pause", "main.go"), []byte(pauseProgram), 0o666))
	if err != nil {
		return err
	}
	return compile(ctx, module, nil, "build", "-ldflags="+stamps, "-o="+program, pkg)
}

// install makes a program of the module that it is in. The go command checks that
// against the public checksum database.
func install(ctx context.Context, pkg, folder string) error {
	return compile(ctx, folder, []string{"GOBIN=" + folder}, "install", "-ldflags=-s -w", pkg)
}

func compile(ctx context.Context, dir string, environ []string, verb string, args ...string) error {
	command := exec.CommandContext(ctx, "go", append([]string{verb, "-trimpath", "-buildvcs=false"}, args...)...)
	command.Dir = dir
	// Over what the user or go test set for another build.
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	command.Env = append(command.Env, environ...)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
