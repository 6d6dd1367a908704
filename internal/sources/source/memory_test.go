package source

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// Memory stays flat, whatever the size: less than 64 MiB beyond what the process
// needs anyway. MOPS_SOAK=1 takes 8 GiB, without filling the disk on the way in.
func TestFlatMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: large files")
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Skip("this system does not tell the peak of memory: ", err)
	}
	size := int64(192 << 20)
	if os.Getenv("MOPS_SOAK") == "1" {
		size = 8 << 30
	}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // proc_pid_clear_refs(5)
		t.Fatal(err)
	}
	before := peakMemory(t)

	f, store, out := newFiles(t), localStore(t), t.TempDir()
	path := filepath.Join(out, "big")
	file := must(os.Create(path))(t)
	defer file.Close()
	if err := file.Truncate(size); err != nil { // holes are read as zeros
		t.Fatal(err)
	}
	for _, r := range []*Ref{
		asArgument(t, f, store, File(path)),            // hashed again, as it is fresh
		asArgument(t, settled(f), store, Dir(out)),     // stored already
		asResult(t, f, localStore(t), out, File(path)), // copied and hashed
	} {
		if r.Size() != size {
			t.Errorf("Size %d, want %d", r.Size(), size)
		}
	}
	if used := peakMemory(t) - before; used > 64<<20 {
		t.Errorf("%d MiB beyond the %d MiB before", used>>20, before>>20)
	}
}
