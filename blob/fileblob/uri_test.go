package fileblob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

func TestURIs(t *testing.T) {
	t.Setenv("HOME", "/home/jo")
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ uri, root string }{
		{"file:///data/mops", "file:///data/mops"},
		{"file:///data/mops/", "file:///data/mops"},
		{"file:///data//x/../mops", "file:///data/mops"},
		{"file:/data/mops", "file:///data/mops"},
		{"FILE:///data/mops", "file:///data/mops"},
		{"file://localhost/data/mops", "file:///data/mops"},
		{"file://~/.mops", "file:///home/jo/.mops"},
		{"file://~", "file:///home/jo"},
		{"file://./results", "file://" + work + "/results"},
		{"file://./~", "file://" + work + "/~"},
		{"file://../results/x", "file://" + filepath.Dir(work) + "/results/x"},
		{"file:///with space", "file:///with%20space"},
		{"file:///with%20space", "file:///with%20space"},
		{"file:///100%25/%3F%23", "file:///100%25/%3F%23"},
		{"file:///jürgen/日本", "file:///jürgen/日本"},
		{"file:///j%C3%BCrgen", "file:///jürgen"},
		{"file:///%FF", "file:///%FF"},
		{"file:///user@host/x", "file:///user@host/x"},
	} {
		s, err := blob.Open(t.Context(), test.uri)
		if err != nil {
			t.Errorf("%s: %v", test.uri, err)
			continue
		}
		if s.Root() != test.root {
			t.Errorf("%s is %s, and should be %s", test.uri, s.Root(), test.root)
		}
		again, err := blob.Open(t.Context(), s.Root())
		if err != nil || again.Root() != s.Root() {
			t.Errorf("the root of %s, %s, is not the root of itself: %v", test.uri, s.Root(), err)
		}
	}
}

func TestInvalidURIs(t *testing.T) {
	for uri, says := range map[string]string{
		"file:":             "path is missing",
		"file://":           "path is missing",
		"file://~root/x":    "home folders of others",
		"file:///x?y=z":     "%3F",
		"file:///x#y":       "%23",
		"file:///50%":       "%25",
		"file:///x%00y":     "zero byte",
		"file:///dev/null":  "is a device",
		"file:///dev/null/": "is a device",
	} {
		_, err := blob.Open(t.Context(), uri)
		if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, and should say %q", uri, err, says)
		}
	}
}

func TestOpenCreatesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stat(t.Context(), "key"); !blob.Is(err, blob.NotFound) {
		t.Error(err)
	}
	for _, err := range s.List(t.Context(), "", "") {
		t.Error("a root that is not there lists", err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("looking has created folders: %v", err)
	}
	if _, err := s.PutBytes(t.Context(), "key", nil, blob.PutOptions{Durable: true}); err != nil {
		t.Errorf("the first put must create the root: %v", err)
	}
}
