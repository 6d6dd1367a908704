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
	"strings"

	"github.com/TrilliantHealth/mops-go/internal/toolcache"
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

// program is built from a package.
type program struct{ name, pkg string }

// onlyReal says that a simulated cluster does not need it.
func (p program) onlyReal() bool { return p.name == "pause" || p.name == "kubelet" }

// programs are what is built, in the order in which it is: what a simulated cluster
// needs comes first.
var programs = []program{
	{"etcd", "go.etcd.io/etcd/server/v3"},
	{"kwok", "sigs.k8s.io/kwok/cmd/kwok"},
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{"pause", "binaries/pause"}, // for Linux only, as is the next
	{"kubelet", "k8s.io/kubernetes/cmd/kubelet"},
}

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

// folderOf names the folder of one program, by all that it is built from.
func folderOf(program string) string {
	hash := sha256.New()
	hash.Write(binariesMod)
	hash.Write(binariesSum)
	io.WriteString(hash, stamps)
	if program == "pause" {
		io.WriteString(hash, pauseProgram)
	}
	return fmt.Sprintf("kubernetes-%s-%.4x/%s", kubernetesVersion, hash.Sum(nil), program)
}

// binary is the path of a program, there or not.
func binary(program string) string {
	return filepath.Join(toolcache.Path(folderOf(program)), program)
}

// Build builds the programs that are not in the user's cache folder yet, tells out
// which, and returns how many there are. All of them take 10 to 30 minutes on two
// cores, and 4 GB in Go's caches. One process at a time builds; others wait for it.
func Build(ctx context.Context, out io.Writer) (n int, err error) {
	for _, p := range programs {
		if p.onlyReal() && runtime.GOOS != "linux" {
			continue
		}
		_, err := toolcache.Folder(folderOf(p.name), func(folder string) error {
			fmt.Fprintf(out, "building %s for Kubernetes %s, once on this machine; all %d programs take up to half an hour\n",
				p.name, kubernetesVersion, len(programs))
			return build(ctx, p.pkg, filepath.Join(folder, p.name))
		})
		if err != nil {
			return n, fmt.Errorf("build %s: %w", p.name, err)
		}
		n++
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		return n, nil // no containers here
	}
	return n, unpackContainers(ctx, out)
}

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
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", stamps, "-o", program, pkg)
	command.Dir = module
	// Over what the user or go test set for another build.
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOEXPERIMENT=",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
