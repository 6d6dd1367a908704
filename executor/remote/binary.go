package remote

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
)

// binary is the program that workers run.
type binary struct {
	path     string
	hash     string // SHA-256, in hex
	size     int64
	platform string // as Go writes it: "linux/amd64"; "" if the file does not say it
}

func binaryOf(path string) (*binary, error) {
	if path == "" {
		path = running()
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the program to send: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return nil, fmt.Errorf("the program to send: %w", err)
	}
	return &binary{path: path, hash: hex.EncodeToString(sum.Sum(nil)), size: size, platform: platformOf(path)}, nil
}

// running is the running program. Linux still has the file after it was deleted or
// built anew; another build would be a version skew.
func running() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

func platformOf(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	var system, processor string
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			system = s.Value
		case "GOARCH":
			processor = s.Value
		}
	}
	if system == "" || processor == "" {
		return ""
	}
	return system + "/" + processor
}

// Go's names of what uname(1) prints.
var (
	systems    = map[string]string{"Linux": "linux", "Darwin": "darwin"}
	processors = map[string]string{
		"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64",
		"ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64",
	}
)

// suits says why a machine, as uname(1) describes it, cannot run the program. One
// that nobody knows is tried.
func (b *binary) suits(system, processor string) error {
	there, known := systems[system], processors[processor]
	if b.platform == "" || there == "" || known == "" || b.platform == there+"/"+known {
		return nil
	}
	return fmt.Errorf("the machine is %s/%s and the program was built for %s; build it for that machine, too (GOOS=%s GOARCH=%s go build), and name that file with remote.Program",
		there, known, b.platform, there, known)
}
