package toolcache

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestFolderIsFilledOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	broken := errors.New("broken")
	if _, err := Folder("tool-1", func(string) error { return broken }); err != broken {
		t.Fatalf("the error is %v", err)
	}
	var filled atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			folder, err := Folder("tool-1", func(folder string) error {
				filled.Add(1)
				return os.WriteFile(filepath.Join(folder, "program"), nil, 0o777)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(filepath.Join(folder, "program")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if filled.Load() != 1 {
		t.Errorf("it was filled %d times", filled.Load())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(Path("x")), "unfinished-*")); len(left) > 0 {
		t.Errorf("there are %q", left)
	}
}
