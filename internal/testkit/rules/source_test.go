package rules

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files are read from top to bottom by people; tables of tests are longer than
// what they test.
const (
	mostLines     = 400
	mostTestLines = 600
)

func TestFilesAreShort(t *testing.T) {
	for path, text := range sources(t) {
		most := mostLines
		if strings.HasSuffix(path, "_test.go") {
			most = mostTestLines
		}
		if lines := bytes.Count(text, []byte("\n")); lines > most {
			t.Errorf("%s has %d lines, more than %d: is there one idea in it?", path, lines, most)
		}
	}
}

// Where an event exists, nobody sleeps: waits are for a channel, a context or a timer
// in a select.
func TestNobodySleeps(t *testing.T) {
	for path, text := range sources(t) {
		if !strings.HasSuffix(path, "_test.go") && bytes.Contains(text, []byte("time.Sleep(")) && !isTestRoom(path) {
			t.Errorf("%s sleeps", path)
		}
	}
}

// isTestRoom says that a package is there for tests only.
func isTestRoom(path string) bool {
	return strings.Contains(path, "executortest") || strings.Contains(path, "enginetest") || strings.Contains(path, "faultproxy")
}

// sources are the Go files of the module, by path.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir("../../..", func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d Go files were found", len(files))
	}
	return files
}
