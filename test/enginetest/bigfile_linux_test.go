package enginetest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/blob/blobtest"
	"github.com/TrilliantHealth/mops-go/blob/fileblob"
	"github.com/TrilliantHealth/mops-go/executor/subprocess"
	"github.com/TrilliantHealth/mops-go/internal/testkit/emulator"
	"github.com/TrilliantHealth/mops-go/test/enginetest"
)

func init() { programs["big file"] = runBigFile }

// remoteRoots make roots on other machines, as it were, by name: each is served by
// another process than the programs that use it. The most is what they can keep.
func remoteRoots() map[string]remoteRoot {
	return map[string]remoteRoot{
		"served": {5 << 30, func(t *testing.T) string {
			store, err := fileblob.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return blobtest.Serve(t, store)
		}},
		"adls": {5 << 30, func(t *testing.T) string { return emulator.Azurite(t).Root(t) }}, // in a process of its own
		"s3":   {1 << 30, func(t *testing.T) string { return emulator.S3(t).Root(t) }},      // in our memory, twice
		"gs":   {1 << 30, func(t *testing.T) string { return emulator.GCS(t).Root(t) }},
	}
}

type remoteRoot struct {
	most int64
	open func(*testing.T) string
}

// mostMemory is what a process may have resident, in bytes, whatever the size of
// its files.
const mostMemory = 128 << 20

// A big file goes to a worker and another one comes back, through a store that
// is not local, and neither process keeps much of it in memory.
func TestBigFile(t *testing.T) {
	t.Parallel()
	for name, remote := range remoteRoots() {
		t.Run(name, func(t *testing.T) {
			arguments, limit := bigFile{Size: min(192<<20, remote.most/16) + 5}, 10*time.Minute
			if soak {
				arguments.Size, limit = remote.most+5, time.Hour
			}
			root, place := remote.open(t), t.TempDir()
			arguments.Path = filepath.Join(place, "big")
			if err := arguments.make(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			p := enginetest.StartPlain(t, place, "big file", arguments, "MOPS_ROOT="+root, "TMPDIR="+place)
			if code := p.Wait(limit); code != 0 {
				t.Fatalf("exit code %d\n%s", code, p.Stderr)
			}
			var used memory
			if err := json.Unmarshal([]byte(p.Stdout.String()), &used); err != nil {
				t.Fatalf("%v in %s", err, p.Stdout)
			}
			t.Logf("%d MiB in and out in %v; the caller had %d MiB in memory, the worker %d MiB",
				arguments.Size>>20, time.Since(began), used.Caller>>20, used.Worker>>20)
			if used.Caller > mostMemory || used.Worker > mostMemory {
				t.Errorf("that is more than %d MiB", mostMemory>>20)
			}
		})
	}
}

// bigFile is a file of so many bytes: each MiB begins with its offset, else it has
// zeros, or in what comes back ones.
type bigFile struct {
	Path string
	Size int64
}

const mark = 1 << 20

func (b bigFile) make() error {
	file, err := os.Create(b.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	for off := int64(0); off < b.Size-8; off += mark {
		if _, err := file.WriteAt(binary.BigEndian.AppendUint64(nil, uint64(off+1)), off); err != nil {
			return err
		}
	}
	return file.Truncate(b.Size)
}

// negate turns over every bit.
func negate(p []byte) {
	for i := range p {
		p[i] = ^p[i]
	}
}

var negative = mops.Define("enginetest/negative", func(ctx context.Context, in mops.Source) (mops.Source, error) {
	from, err := in.Open(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	defer from.Close()
	dir, err := mops.OutDir(ctx)
	if err != nil {
		return mops.Source{}, err
	}
	to, err := os.Create(filepath.Join(dir, "negative"))
	if err != nil {
		return mops.Source{}, err
	}
	defer to.Close()
	buffer := make([]byte, mark)
	for {
		n, err := io.ReadFull(from, buffer)
		negate(buffer[:n])
		if _, err := to.Write(buffer[:n]); err != nil {
			return mops.Source{}, err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return mops.File(to.Name()), nil
		}
		if err != nil {
			return mops.Source{}, err
		}
	}
})

// memory is the most that was resident, in bytes.
type memory struct{ Caller, Worker int64 }

func runBigFile(ctx context.Context) error {
	var b bigFile
	if err := enginetest.Arguments(&b); err != nil {
		return err
	}
	out, err := negative.With(mops.On(subprocess.New())).Call(ctx, mops.File(b.Path))
	if err != nil {
		return err
	}
	file, err := out.Open(ctx)
	if err != nil {
		return err
	}
	defer file.Close()
	want, buffer := make([]byte, mark), make([]byte, mark)
	for off := int64(0); off < b.Size; off += mark {
		n := min(mark, b.Size-off)
		if _, err := io.ReadFull(file, buffer[:n]); err != nil {
			return err
		}
		clear(want)
		if off < b.Size-8 {
			binary.BigEndian.PutUint64(want, uint64(off+1))
		}
		negate(want)
		if !bytes.Equal(buffer[:n], want[:n]) {
			return fmt.Errorf("the MiB at %d came back wrong", off)
		}
	}
	var children syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
		return err
	}
	caller, err := peakMemory()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(memory{Caller: caller, Worker: int64(children.Maxrss) << 10})
}

// peakMemory is that of this process since it was started: ru_maxrss would count
// what its parent had when it was forked. See proc_pid_status(5).
func peakMemory() (int64, error) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			var kib int64
			_, err := fmt.Sscan(value, &kib)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s does not tell the peak of memory", file.Name())
}
