//go:build unix

package summary

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

// Nothing waits for what is no summary; the error names it.
func TestOddThings(t *testing.T) {
	for kind := range openfiletest.Odd {
		dir := t.TempDir()
		path := filepath.Join(dir, "runs", time.Now().UTC().Format(stamp)+"-prog-1.json")
		openfiletest.Put(t, path, kind)
		_, err := openfiletest.Soon(t, kind, func() (Summary, error) {
			s, _, err := Latest(dir, "")
			return s, err
		})
		if err == nil || kind != "dangling link" && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", kind, err)
		}
		if err := Write(dir, run("prog", 1, time.Now().Add(time.Hour))); err != nil {
			t.Errorf("%s: a new one: %v", kind, err)
		}
	}
}
