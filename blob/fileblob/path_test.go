package fileblob

import (
	"strings"
	"testing"

	"github.com/TrilliantHealth/mops-go/blob"
)

func TestEscape(t *testing.T) {
	for segment, name := range map[string]string{
		"plain":        "plain",
		"in~side":      "in~side",
		"tilde~":       "tilde%7E",
		"~~":           "~%7E",
		"50%":          "50%25",
		"%7E":          "%257E",
		".mops-tmp":    "%2Emops-tmp",
		".mops-tmp-1~": "%2Emops-tmp-1%7E",
		".nfs0001":     "%2Enfs0001",
		"lost+found":   "%6Cost+found",
		"lost+found2":  "lost+found2",
		".hidden":      ".hidden",
	} {
		if got := escape(segment); got != name {
			t.Errorf("%q is in file %q, and should be in %q", segment, got, name)
		}
		if got, ok := unescape(name); got != segment || !ok {
			t.Errorf("file %q holds %q, %v, and should %q", name, got, ok, segment)
		}
	}
}

func TestFilesThatAreNotOurs(t *testing.T) {
	for _, name := range []string{"backup~", ".mops-tmp", ".nfs0001", "lost+found", "50%", "50%2", "%zz", "%41", "%7e", "x%7Ey"} {
		if segment, ok := unescape(name); ok {
			t.Errorf("file %q is taken for %q", name, segment)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"x", "x~", "%7E", ".mops-tmp", ".nfs", "lost+found", "%", "~"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, segment string) {
		if blob.ValidKey(segment) != nil || strings.Contains(segment, "/") {
			return
		}
		name := escape(segment)
		if reserved(name) {
			t.Errorf("%q is in file %q, which is reserved", segment, name)
		}
		if got, ok := unescape(name); got != segment || !ok {
			t.Errorf("%q is in file %q, which holds %q", segment, name, got)
		}
		path, err := (&store{prefix: "/root/"}).path("a/" + segment + "/b")
		if err == nil && path != "/root/a/"+name+"/b" {
			t.Errorf("%q has path %q", segment, path)
		}
	})
}

func TestLongNames(t *testing.T) {
	s := openTemp(t)
	for segment, fits := range map[string]bool{
		strings.Repeat("x", 254):        true,
		strings.Repeat("x", 255):        false,
		strings.Repeat("x", 252) + "~":  false,
		strings.Repeat("x", 251) + "~":  true,
		strings.Repeat("ä", 127):        true,
		strings.Repeat("ä", 128):        false,
		strings.Repeat("%", 100):        false,
		strings.Repeat("%", 84) + "xx":  true,
		strings.Repeat("%", 84) + "xxx": false,
	} {
		for _, key := range []string{segment, "a/" + segment, "b/" + segment + "/b"} {
			_, err := s.PutBytes(t.Context(), key, nil, blob.PutOptions{})
			if err == nil {
				_, err = s.PutBytes(t.Context(), key, nil, blob.PutOptions{}) // has a ~ then
			}
			switch {
			case fits && err != nil:
				t.Error(err)
			case !fits && (!blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "too long for a file name")):
				t.Errorf("a part of %d bytes gave %v", len(segment), err)
			}
		}
	}
}

func TestBlobUnderBlob(t *testing.T) {
	s := openTemp(t)
	if _, err := s.PutBytes(t.Context(), "a/b", nil, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a/b/c", "a/b/c/d"} {
		for _, opts := range []blob.PutOptions{{}, {IfAbsent: true}} {
			_, err := s.PutBytes(t.Context(), key, nil, opts)
			if !blob.Is(err, blob.Invalid) || !strings.Contains(err.Error(), "cannot lie under another") {
				t.Errorf("%s, %+v: %v", key, opts, err)
			}
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Stat(t.Context(), "a/b"); err != nil {
		t.Errorf("the blob is gone: %v", err)
	}
}
