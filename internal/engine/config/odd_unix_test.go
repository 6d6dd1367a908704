//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/internal/base/openfile/openfiletest"
)

// Nothing waits for what is no config file, and what goes by its name is not
// passed over. /dev/null is as good as an empty one.
func TestOddThings(t *testing.T) {
	for kind := range openfiletest.Odd {
		t.Chdir(t.TempDir())
		openfiletest.Put(t, FileName, kind)
		found, err := Find("", func(string) (string, bool) { return "", false })
		path := found.Path
		if path == "" || err != nil {
			t.Errorf("%s: it was passed over", kind)
			continue
		}
		full, _ := filepath.Abs(path)
		_, err = openfiletest.Soon(t, kind, func() (*File, error) { return Load(path) })
		if err == nil || !strings.Contains(err.Error(), full) || !strings.Contains(err.Error(), "; ") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if file, err := Load(os.DevNull); err != nil || len(file.Entries) > 0 {
		t.Errorf("%s: %+v, %v", os.DevNull, file, err)
	}
}
