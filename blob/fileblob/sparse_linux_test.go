package fileblob

import (
	"bytes"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

// A blob takes no space for zeros, and reads as it was written, whatever it ends in.
func TestZerosTakeNoSpace(t *testing.T) {
	both(t, func(t *testing.T, named bool) {
		sc := newScene(t, 1)
		zeros := make([]byte, 8<<20)
		for name, body := range map[string][]byte{
			"zeros": zeros, "at the end": append([]byte("begin"), zeros...), "at the beginning": append(zeros[:len(zeros):len(zeros)], "end"...),
			"in between": append(append([]byte("begin"), zeros...), "end"...),
		} {
			if _, err := sc.Put(t.Context(), name, io.MultiReader(bytes.NewReader(body)), int64(len(body)), blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if got, _, err := sc.ReadAll(t.Context(), name, nil); err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s: read %d bytes of %d, %v", name, len(got), len(body), err)
			}
			info, err := os.Stat(sc.s.dir + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; taken > 1<<20 {
				t.Errorf("%s: %d bytes are taken", name, taken)
			}
		}
	})
}
