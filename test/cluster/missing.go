package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

// ErrMissing is that this machine has not what a cluster needs. The message says
// what, and how to get it.
var ErrMissing = errors.New("a cluster cannot run here")

// MissingSimulated returns nil where a simulated cluster can run.
func MissingSimulated() error { return missingPrograms(false) }

func missingPrograms(forReal bool) error {
	for _, p := range programs {
		if (forReal || !p.onlyReal) && !isFile(p.path()) {
			return fmt.Errorf("%w: %s is not built; run \"make cluster-binaries\", which takes up to half an hour", ErrMissing, p.name)
		}
	}
	return nil
}

// Tier is a kind of cluster.
type Tier string

// The tiers.
const (
	RealTier      Tier = "real"      // runs containers
	SimulatedTier Tier = "simulated" // only says that it does
)

// Lacking returns what this machine lacks for a cluster of the tier that [Build] does
// not get; nil where that is nothing.
func Lacking(tier Tier) error {
	if tier != RealTier {
		return nil
	}
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: containers need Linux, and this is %s", ErrMissing, runtime.GOOS)
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("%w: containers and namespaces need root", ErrMissing)
	}
	for _, program := range []string{"nsenter", "mount", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: it needs the programs of util-linux and iproute2: %w", ErrMissing, err)
		}
	}
	return nil
}

// MissingReal returns nil where a real cluster can run.
func MissingReal() error {
	if err := Lacking(RealTier); err != nil {
		return err
	}
	if err := missingPrograms(true); err != nil {
		return err
	}
	_, err := containerPrograms()
	return err
}
