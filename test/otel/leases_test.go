package otel

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob"
	"github.com/TrilliantHealth/mops-go/blob/driver"
	"github.com/TrilliantHealth/mops-go/internal/testkit/syncbuf"
)

// held runs until there is a file "open" in the folder, or nobody wants it any more.
var held = mops.Define("test/held", func(ctx context.Context, folder string) (string, error) {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat(filepath.Join(folder, "open")); err == nil {
			return "opened", nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
})

const heldVariable = "TEST_HELD" // the folder: the program calls held, and nothing else

// deaf is a store that takes no renewal while there is a file "deaf" in the folder.
type deaf struct {
	driver.Store
	folder string
}

func (d deaf) Put(ctx context.Context, key string, body io.Reader, size int64, opts driver.PutOptions) (driver.Info, error) {
	if strings.HasPrefix(key, "mops1-sessions/") && !opts.IfAbsent {
		if _, err := os.Stat(filepath.Join(d.folder, "deaf")); err == nil {
			return driver.Info{}, &driver.Error{Kind: driver.Unavailable, Err: err}
		}
	}
	return d.Store.Put(ctx, key, body, size, opts)
}

func makeDeaf(bool) mops.Instruments {
	return mops.Instruments{Over: func(s *blob.Store) *blob.Store { return blob.New(s.Root(), deaf{s.Driver(), os.Getenv(heldVariable)}) }}
}

// TestLeases has a program killed that holds a lease, and another take it over, fail to
// renew its session, lose it, and take it again.
func TestLeases(t *testing.T) {
	s := newStack(t)
	folder, root := t.TempDir(), t.TempDir()
	program := func() *exec.Cmd {
		cmd, said := exec.Command(os.Args[0]), new(syncbuf.Buffer)
		cmd.Env = append(os.Environ(), programVariable+"=1", heldVariable+"="+folder, "MOPS_ROOT=file://"+root, "MOPS_STATE="+t.TempDir(), "MOPS_CACHE="+t.TempDir(),
			"OTEL_EXPORTER_OTLP_ENDPOINT="+s.endpoint, "OTEL_SERVICE_NAME=holder", "OTEL_METRIC_EXPORT_INTERVAL=200")
		cmd.Stdout, cmd.Stderr = said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait() // it writes to folders of the test, which go next
			if t.Failed() {
				t.Logf("a program said:\n%s", said)
			}
		})
		return cmd
	}
	shows := func(query string, want string) {
		t.Helper()
		eventually(t, query, func() error {
			got, err := s.ask(query)
			if err == nil && (len(got) != 1 || got[0].Value[1] != want) {
				err = fmt.Errorf("%v, want %s", got, want)
			}
			return err
		})
	}
	change := func(name string) string {
		return fmt.Sprintf(`sum(mops_lease_changes_total{mops_function="test/held@0", mops_lease_change=%q})`, name)
	}

	first := program()
	shows(`sum(mops_lease_active{mops_function="test/held@0"})`, "1")
	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()

	second := program()
	shows(change("taken_over"), "1")
	shows(change("taken"), "2")
	shows(`sum(mops_lease_active{mops_function="test/held@0"})`, "2") // the first cannot say that it is dead
	write(t, filepath.Join(folder, "deaf"), "")
	eventually(t, "renewals fail", func() error {
		got, err := s.ask(`mops_session_renewals_total{mops_store_system="file", error_type="unavailable"}`)
		if err == nil && len(got) != 1 {
			err = fmt.Errorf("%v", got)
		}
		return err
	})
	if err := os.Remove(filepath.Join(folder, "deaf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "mops1-sessions"), filepath.Join(folder, "sessions")); err != nil { // at once: they are being renewed
		t.Fatal(err)
	}
	shows(change("lost"), "1")
	shows(change("taken"), "3")
	write(t, filepath.Join(folder, "open"), "")
	if err := second.Wait(); err != nil {
		t.Fatal(err)
	}
	shows(`sum(mops_lease_active{mops_function="test/held@0"})`, "1")
	shows(change("adopted")+` or vector(0)`, "0")
}
