package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	_ "github.com/TrilliantHealth/mops-go/blob/fileblob" // below crash+file
)

// CrashVariable holds the Crash of a program under test, for itself and its workers.
const CrashVariable = "ENGINETEST_CRASH"

// Roles of processes.
const (
	Orchestrator = "orchestrator"
	Worker       = "worker"
)

// Crash is who dies at which step. Steps are counted from 1, over all processes
// of a role: each operation of the store is two, one before it is applied and
// one after.
type Crash struct {
	Dir  string // where steps are counted
	Role string // whose steps
	Step int    // at which to die; 0 only counts
	Both bool   // the orchestrator and the parent die with their worker
	Root int    // process number of the orchestrator; filled in by it
}

// Enter makes the crash known to this process and to those that it starts. It
// is to be called first of all.
func (c Crash) Enter() {
	os.Setenv(CrashVariable, fmt.Sprintf("%s,%s,%d,%t,%d", c.Dir, c.Role, c.Step, c.Both, os.Getpid()))
}

func crashOfEnvironment() (c Crash, ok bool) {
	fields := strings.Split(os.Getenv(CrashVariable), ",")
	if len(fields) != 5 {
		return c, false
	}
	c.Dir, c.Role = fields[0], fields[1]
	_, err := fmt.Sscan(strings.Join(fields[2:], " "), &c.Step, &c.Both, &c.Root)
	return c, err == nil
}

// RegisterCrashStores makes schemes such as crash+file known: stores that kill
// this process as [CrashVariable] says.
func RegisterCrashStores(role string) {
	for _, scheme := range []string{"file", "s3", "adls", "gs"} {
		registerCrashStore("crash+"+scheme, role)
	}
}

func registerCrashStore(scheme, role string) {
	blob.Register(scheme, func(ctx context.Context, uri string) (driver.Store, error) {
		inner, err := blob.Open(ctx, strings.TrimPrefix(uri, "crash+"))
		if err != nil {
			return nil, err
		}
		var plan blobtest.FaultPlan
		if c, ok := crashOfEnvironment(); ok && c.Role == role {
			step := func(blobtest.Op, string) error { return c.step() }
			plan.Before, plan.After = step, step
		}
		faulty := blobtest.Faulty(inner, plan).Driver()
		if inner.IsLocal() {
			return faulty, nil
		}
		return service{faulty, faulty.(driver.Slurper), faulty.(driver.Clock), scheme + strings.TrimPrefix(inner.Address(), strings.TrimPrefix(scheme, "crash+"))}, nil
	})
}

// service is a store that is a service, and reached by an address of its own.
type service struct {
	driver.Store
	driver.Slurper
	driver.Clock
	address string
}

func (s service) Address() string { return s.address }

// step counts, and dies when it is time.
func (c Crash) step() error {
	file, err := os.OpenFile(c.path(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString("."); err != nil {
		return err
	}
	// Behind what this process has just appended, whatever others append.
	step, err := file.Seek(0, io.SeekCurrent)
	if err != nil || step != int64(c.Step) {
		return err
	}
	if c.Both && c.Root != os.Getpid() {
		Kill(c.Root)
		if parent := os.Getppid(); parent != 1 { // between us and the root
			Kill(parent)
		}
	}
	Kill(os.Getpid())
	select {}
}

func (c Crash) path() string { return filepath.Join(c.Dir, "steps") }

// Steps is how many were counted.
func (c Crash) Steps() (int, error) {
	info, err := os.Stat(c.path())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return int(info.Size()), nil
}

// Kill kills a process, if it is there.
func Kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		p.Kill()
	}
}
